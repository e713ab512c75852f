{{
    config(
        pre_hook=["{{ set_reconcile_session() }}", "{{ find_fresh_events() }}", "{{ find_moved_events() }}"],
        post_hook=["analyze {{ this }}", "{{ sign_scope() }}"],
    )
}}
{#- After it: whatever is noted meanwhile is proved now and once more. -#}
{%- do ref('proof_scope') %}
{%- do ref('scope_load') %}
{%- do ref('scope_asset') %}
{%- do ref('event_claim') %}
{%- set wholes = array_of(whole_kinds()) %}

with

changes as (select * from {{ source('ops', 'unproved_change') }}),

-- Records with a new event, a new or moved delivery, or a row of Silver that was written since; and those in
-- which the last proof found something.
changed as (

    select
        record_kind,
        record_key
    from fresh_event
    union
    select
        record_kind,
        record_key
    from moved_event
    {%- for kind, declared in declared_kinds().items() %}
    union
    select
        '{{ kind }}' as record_kind,
        row_key as record_key
    from changes
    where table_name = 'silver.{{ declared.silver }}'
    {%- endfor %}
    {%- if is_proving_changes() %}
    union
    select
        record_kind,
        record_key
    from {{ source('last_build', 'reconcile_event') }}
    where {{ is_in_doubt() | indent(4) }}
    {%- endif %}

),

-- An asset that comes takes the place of another one whole: also of what only that one has.
final as (

    select * from changed
    {%- if is_proving_changes() and whole_kinds() %}
    union
    select
        siblings.record_kind,
        siblings.record_key
    from {{ ref('event_claim') }} as siblings
    where
        siblings.record_kind = any({{ wholes }})
        and {{ whole_of('siblings.record_key') }} = any(array(
            select {{ whole_of('changed.record_key') }} from changed
            where changed.record_kind = any({{ wholes }})
        ))
    {%- endif %}

)

select * from final
{%- if not is_proving_changes() %}
where false -- all is proved: nobody asks
{%- endif %}
