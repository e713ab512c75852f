{#- Frozen before anything of reconcile reads Silver; what changes later is for the next proof. -#}
{%- do built_kinds() -%}
{{ config(pre_hook="{{ set_reconcile_session() }}", post_hook="{{ sign_scope() }}") }}

select
    pg_current_snapshot() as seen,
    coalesce(bool_or(row_key = '*' or table_name like 'bronze.%'), false) as is_everything_changed
from {{ source('ops', 'unproved_change') }}
