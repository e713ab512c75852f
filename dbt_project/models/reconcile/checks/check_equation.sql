{#- The equations of reconcile that do not close, and the digests that differ between Bronze and Silver. -#}

with

partitions as (select * from {{ ref('reconcile_partition') }}),

found as (

    select
        {{ finding(
            'partition_unexplained', 'gap', "'reconcile.reconcile_partition'",
            "unexplained_count || ' lines, events or rows that nothing explains'",
            record_kind='record_kind', partition_key='partition_key', finding_count='unexplained_count', extent="'equation'"
        ) }}
    from partitions
    where unexplained_count is distinct from 0
    union all
    select
        {{ finding(
            'partition_digests_differ', 'drift', "'reconcile.reconcile_partition'",
            "'the winners in Bronze give ' || bronze_digest || ', the rows of Silver ' || silver_digest",
            record_kind='record_kind', partition_key='partition_key', extent="'equation'"
        ) }}
    from partitions
    where bronze_digest is distinct from silver_digest
    union all
    select
        {{ finding(
            'asset_unexplained', 'gap', "'reconcile.reconcile_asset'",
            "unexplained_count || ' lines that nothing explains'",
            asset_id='asset_id', finding_count='unexplained_count', extent="'equation'"
        ) }}
    from {{ ref('reconcile_asset') }}
    where unexplained_count is distinct from 0
    union all
    select
        {{ finding(
            'manifest_unexplained', 'gap', "'reconcile.reconcile_manifest'",
            "unexplained_count || ' lines or entries that nothing explains'",
            manifest_id='manifest_id', finding_count='unexplained_count', extent="'equation'"
        ) }}
    from {{ ref('reconcile_manifest') }}
    where unexplained_count is distinct from 0
    union all
    select
        {{ finding(
            'run_unexplained', 'gap', "'reconcile.reconcile_run'",
            "unexplained_count || ' lines or events that nothing explains'",
            run_id='run_id', finding_count='unexplained_count', extent="'equation'"
        ) }}
    from {{ ref('reconcile_run') }}
    where unexplained_count is distinct from 0

)

select * from found
