{{ config(enabled=var('macro_tests', false)) }}
{#- Fails when a logged line lacks table, day, asset, manifest or run, or what is left out is not said. -#}
{%- set one -%}
select
    {{ finding(
        'payload_edited', 'drift', "'bronze.record_event'", "'got a, expected b'", partition_key="date '2026-04-17'",
        asset_id='7', run_id="'0196a000-0000-7000-8000-000000000001'::uuid", manifest_id="'manifest-a'",
        source_id="'tickets.jsonl'", finding_count='2'
    ) }}
{%- endset -%}
{%- set every = "select " ~ finding('run_missing', 'no_trace', "'ops.ingest_run'", "'it is gone'") -%}
{%- set several = "select " ~ finding(
    'source_asset_missing', 'gap', "'ops.source_asset'", "'got none'", partition_key='day::date', asset_id='7'
) ~ " from generate_series(timestamp '2026-04-17', '2026-04-19', '1 day') as day" -%}
{%- set found = "(" ~ [one, every, several] | join(" union all ") ~ ") as found" -%}
{%- set all_lines = finding_lines(found) if execute else [] -%}
{%- set short_lines = finding_lines(found, 1) if execute else [] -%}
{%- set expected = [
    "bronze.record_event partition 2026-04-17 asset tickets.jsonl manifest manifest-a"
    ~ " run 0196a000-0000-7000-8000-000000000001: payload edited (2 rows; got a, expected b)",
    "ops.ingest_run every partition: run missing (1 row; it is gone)",
    "ops.source_asset 3 partitions 2026-04-17 to 2026-04-19 asset number 7: source asset missing (1 row; got none)"
] -%}

select '{{ (all_lines + short_lines) | join(" / ") | replace("'", "") }}' as got
where
    not {{ all_lines == expected }}
    or not {{ short_lines[:1] == expected[:1] and '2 more findings' in short_lines[1:] | join }}
