{#- Pre-hook of customer_dim: whose newest event may be another now. Every customer that a version of a queued ticket
    names: also one that the ticket has left. The queue may say '*', everything. -#}
{% macro take_stale_customers() -%}
    {%- if is_incremental() -%}
    {%- set stale_ticket = source('silver_ledger', 'stale_ticket') -%}
    {%- set raw_ticket_event = source('bronze', 'raw_ticket_event') -%}
create temporary table stale_customer on commit drop as
select customer_id from {{ raw_ticket_event }} where ticket_id in (select ticket_id from {{ stale_ticket }})
union
select customer_id from {{ raw_ticket_event }} where exists (select from {{ stale_ticket }} where ticket_id = '*')
union
select customer_id from {{ this }} where exists (select from {{ stale_ticket }} where ticket_id = '*');
create temporary table customer_ticket on commit drop as
select distinct ticket_id from {{ raw_ticket_event }} where customer_id in (select customer_id from stale_customer);
analyze stale_customer, customer_ticket;
delete from {{ this }} where customer_id in (select customer_id from stale_customer);
    {%- endif -%}
{%- endmacro %}
