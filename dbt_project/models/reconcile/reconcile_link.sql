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
        {{ link.key }} = any({{ scope_keys_within(ref('scope_record'), link.silver, link.key) | indent(4) }})
        or {{ link.column }} = any({{ scope_keys_within(ref('scope_record'), link.silver, link.column) | indent(4) }})
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

{% if link.span -%}
-- The records of whatever one of these is of, in their order. What recorders and players count as a length
-- may differ by a fiftieth.
placed_{{ loop.index }} as (

    select
        segments.{{ link.key }} as record_key,
        segments.partition_key,
        segments.{{ link.column }} as linked_key,
        segments.{{ link.span.start }} as starts_at,
        segments.{{ link.span.end }} as ends_at,
        lag(segments.{{ link.span.start }}) over in_order as started_before,
        max(segments.{{ link.span.end }}) over (
            partition by segments.{{ link.column }}
            order by segments.{{ link.span.number }} asc
            rows between unbounded preceding and 1 preceding
        ) as ended_before
    from {{ link.silver }} as segments
    {%- if is_incremental() %}
    where segments.{{ link.column }} = any(array(select named.linked_key from named_{{ loop.index }} as named))
    {%- endif %}
    window in_order as (
        partition by segments.{{ link.column }} order by segments.{{ link.span.number }} asc
    )

),

lengths_{{ loop.index }} as (
    {%- set number = loop.index %}
    {%- set timed = link.linked | selectattr('is_timed') | list %}
    {%- for linked in timed %}

    select
        {{ linked.key }} as linked_key,
        duration_seconds
    from {{ linked.silver }}
    {%- if is_incremental() %}
    where {{ linked.key }} = any(array(select named.linked_key from named_{{ number }} as named))
    {%- endif %}
    {{ "union all" if not loop.last }}
    {%- else %}
    {{ no_rows({'linked_key': 'text', 'duration_seconds': 'numeric'}) }}
    {%- endfor %}

),

misplaced_{{ loop.index }} as (

    select
        placed.record_key,
        placed.partition_key,
        placed.linked_key
    from placed_{{ loop.index }} as placed
    inner join named_{{ loop.index }} as named on placed.record_key = named.record_key
    left join (
        select
            linked_key,
            max(duration_seconds) as duration_seconds
        from lengths_{{ loop.index }}
        group by linked_key
    ) as lengths on placed.linked_key = lengths.linked_key
    where
        placed.starts_at < placed.started_before
        or placed.starts_at < placed.ended_before
        or placed.ends_at > lengths.duration_seconds * 1.02

),

{% endif -%}
{% endfor -%}
final as (
    {% for link in links %}
    {%- if link.span %}
    select
        '{{ link.kind }}' as record_kind,
        misplaced.record_key,
        misplaced.partition_key,
        'segment_misplaced' as link_fault,
        '{{ link.field }}' as field_name,
        '{{ link.linked_kind }}' as linked_kind,
        misplaced.linked_key,
        false as is_awaited,
        {{ link.show | lower }} as is_shown
    from misplaced_{{ loop.index }} as misplaced
    union all
    {%- endif %}
    select
        '{{ link.kind }}' as record_kind,
        named.record_key,
        named.partition_key,
        'link_missing' as link_fault,
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
        'record_kind': 'text', 'record_key': 'text', 'partition_key': 'date', 'link_fault': 'text', 'field_name': 'text',
        'linked_kind': 'text', 'linked_key': 'text', 'is_awaited': 'boolean', 'is_shown': 'boolean'
    }) | indent(4) }}
    {%- endfor %}

)

select * from final
