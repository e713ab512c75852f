{{ config(enabled=var('macro_tests', false)) }}
{#- Fails when a field is typed otherwise than Silver types it, or a broken instant, date or number raises. -#}
{%- if execute -%}
    {%- do run_query(create_reconcile_functions()) -%}
{%- endif -%}

with

records as (

    select
        record_name,
        content::jsonb as payload
    from (
        values
        ('fine', '{"a": "2026-04-17T23:59:59.9999999Z", "b": false, "c": ["x"], "d": "", "e": 0.1234567890123456789012345678, "f": "0001-02-03"}'),
        ('offset', '{"a": "2026-04-18t01:59:59.9999994+02:00", "b": null, "d": null}'),
        ('broken', '{"a": "no instant", "b": "maybe", "e": "ten", "f": "300000-01-01"}'),
        ('no day', '{"f": "2026-02-29"}')
    ) as record (record_name, content)

),

typed as (

    select
        record_name,
        {{ payload_value('payload', 'a', 'instant', "record_name <> 'broken'") }} as a,
        {{ payload_value('payload', 'b', 'boolean') }} as b,
        {{ payload_value('payload', 'c', 'json') }} as c,
        {{ payload_value('payload', 'd', 'text') }} as d,
        {{ payload_value('payload', 'e', 'number', "record_name <> 'broken'") }} as e,
        {{ payload_value('payload', 'f', 'date', "record_name in ('fine', 'offset')") }} as f
    from records

),

expected as (

    select *
    from (
        values
        ('fine', timestamptz '2026-04-17 23:59:59.999999Z', false, '["x"]'::jsonb, '', 0.1234567890123456789012345678, date '0001-02-03'),
        ('offset', timestamptz '2026-04-17 23:59:59.999999Z', null, null, null, null, null),
        ('broken', null, null, null, null, null, null),
        ('no day', null, null, null, null, null, null)
    ) as side (record_name, a, b, c, d, e, f)

)

{{ rows_differ('typed', 'expected', ['record_name', 'a', 'b', 'c', 'd', 'e', 'f']) }}
