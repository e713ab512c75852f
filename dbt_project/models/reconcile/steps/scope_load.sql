{{
    config(
        pre_hook=["{{ set_reconcile_session() }}", "{{ create_reconcile_functions() }}"],
        post_hook=["analyze {{ this }}", "{{ sign_scope() }}"],
    )
}}
{#- Nothing of Bronze or Silver is read for a proof before it is settled which changes the proof covers. -#}
{%- do ref('proof_scope') %}

with

final as (

    select load_id
    from {{ source('ops', 'completed_load') }}
    except
    select load_id
    from {{ source('ops', 'proved_load') }}

)

select * from final
{%- if not is_proving_changes() %}
where false -- all is proved: nobody asks
{%- endif %}
