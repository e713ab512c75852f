{{
    config(
        pre_hook=["{{ set_reconcile_session() }}", "{{ create_reconcile_functions() }}"],
        post_hook=["analyze {{ this }}", "{{ sign_scope() }}"],
    )
}}
{#- Nothing of Bronze or Silver is read for a proof before it is settled which changes the proof covers. -#}
{%- do ref('proof_scope') %}

with

completed_loads as (

    select * from {{ source('ops', 'completed_load') }}

),

proved_loads as (

    select * from {{ source('ops', 'proved_load') }}

),

final as (

    select load_id
    from completed_loads
    except
    select load_id
    from proved_loads

)

select * from final
{%- if not is_proving_changes() %}
where false -- all is proved: nobody asks
{%- endif %}
