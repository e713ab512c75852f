-- Rows and content of what an unchanged second ingest must leave alone, one line per table.
select 'bronze.raw_ticket_event', count(*), sum(ops.digest64(item::text)) from bronze.raw_ticket_event as item
union all
select 'bronze.asset_line', count(*), sum(ops.digest64(item::text)) from bronze.asset_line as item
union all
select 'bronze.rejected_record', count(*), sum(ops.digest64(item::text)) from bronze.rejected_record as item
union all
select 'silver.ticket_fact', count(*), sum(ops.digest64(item::text)) from silver.ticket_fact as item
union all
select 'silver.customer_dim', count(*), sum(ops.digest64(item::text)) from silver.customer_dim as item
union all
select 'unexplained', sum(unexplained_count), null from reconcile.reconcile_partition
order by 1;
