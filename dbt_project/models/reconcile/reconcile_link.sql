{{
    config(
        materialized='incremental',
        indexes=[{'columns': ['record_key']}, {'columns': ['linked_key']}],
        pre_hook=[
            "{{ set_reconcile_session() }}",
            "{{ index_links() }}",
            "{{ delete_unproved('record_key', ref('scope_record')) }}",
            "{{ delete_unproved('linked_key', ref('scope_record'), 'record_key') }}",
        ],
    )
}}
{#- Whoever names a record that came or went is judged anew beside whoever changed. By key alone: what shares
    a key in another kind is judged along. -#}
{%- set links = judged_links() %}

with

{% for link in links -%}
named_{{ loop.index }} as (

    select
        {{ link.key }} as record_key,
        partition_key,
        {{ link.column }} as linked_key
    from {{ link.silver }}
    {%- if is_incremental() %}
    where
        {{ link.key }} = any(array(select changed.record_key from {{ ref('scope_record') }} as changed))
        or {{ link.column }} = any(array(select changed.record_key from {{ ref('scope_record') }} as changed))
    {%- endif %}

),

held_{{ loop.index }} as (

    {%- set number = loop.index %}
    {%- for linked in link.linked %}
    select {{ linked.key }} as linked_key
    from {{ linked.silver }}
    {%- if is_incremental() %}
    where {{ linked.key }} = any(array(select named.linked_key from named_{{ number }} as named))
    {%- endif %}
    {{ "union all" if not loop.last }}
    {%- endfor %}

),

{% endfor -%}
final as (
    {% for link in links %}
    select
        '{{ link.kind }}' as record_kind,
        named.record_key,
        named.partition_key,
        '{{ link.field }}' as field_name,
        '{{ link.linked_kind }}' as linked_kind,
        named.linked_key,
        {{ link.awaited | lower }} as is_awaited,
        {{ link.show | lower }} as is_shown
    from named_{{ loop.index }} as named
    left join held_{{ loop.index }} as held on named.linked_key = held.linked_key
    where named.linked_key is not null and held.linked_key is null
    {{ "union all" if not loop.last }}
    {%- else %}
    {{ no_rows({
        'record_kind': 'text', 'record_key': 'text', 'partition_key': 'date', 'field_name': 'text',
        'linked_kind': 'text', 'linked_key': 'text', 'is_awaited': 'boolean', 'is_shown': 'boolean'
    }) | indent(4) }}
    {%- endfor %}

)

select * from final
