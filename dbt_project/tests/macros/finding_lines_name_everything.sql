{{ config(enabled=var('macro_tests', false)) }}
{#- Fails when a logged line lacks table, day, asset, manifest or run, or what is left out is not said. -#}
{%- set first -%}
select
    {{ finding(
        'payload_edited', "'bronze.raw_ticket_event'", "'got a, expected b'", "date '2026-04-17'", '7',
        "'0196a000-0000-7000-8000-000000000001'::uuid", "'manifest-a'", "'tickets.jsonl'", '2'
    ) }}
{%- endset -%}
{%- set second = "select " ~ finding('run_missing', "'ops.ingest_run'", "'it is gone'") -%}
{%- set found = "(" ~ first ~ " union all " ~ second ~ ") as found" -%}
{%- set all_lines = finding_lines(found) if execute else [] -%}
{%- set short_lines = finding_lines(found, 1) if execute else [] -%}
{%- set expected = [
    "bronze.raw_ticket_event partition 2026-04-17 asset tickets.jsonl manifest manifest-a"
    ~ " run 0196a000-0000-7000-8000-000000000001: payload edited (2 rows; got a, expected b)",
    "ops.ingest_run: run missing (1 row; it is gone)"
] -%}

select '{{ (all_lines + short_lines) | join(" / ") | replace("'", "") }}' as got
where
    not {{ all_lines == expected }}
    or not {{ short_lines[:1] == expected[:1] and '1 more finding' in short_lines[1:] | join }}
