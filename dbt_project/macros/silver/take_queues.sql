{#- Pre-hook of ticket_customer: notes the customers that its queued tickets had, then deletes these rows.
    The queue may say '*', everything. -#}
{% macro take_stale_tickets() -%}
    {%- set stale_ticket = source('silver_ledger', 'stale_ticket') -%}
    {%- set stale_customer = source('silver_ledger', 'stale_customer') -%}
    {%- if not is_incremental() -%}
insert into {{ stale_customer }} (customer_id) values ('*');
truncate {{ stale_ticket }};
    {%- else -%}
do $take$
begin
    if exists (select from {{ stale_ticket }} where ticket_id = '*') then
        insert into {{ stale_customer }} (customer_id) values ('*');
        delete from {{ this }};
        truncate {{ stale_ticket }};
        insert into {{ stale_ticket }} (ticket_id) select ticket_id from {{ ref('ticket_fact') }};
        analyze {{ stale_ticket }};
    else
        with deleted as (
            delete from {{ this }}
            where ticket_id in (select ticket_id from {{ stale_ticket }})
            returning customer_id
        )
        insert into {{ stale_customer }} (customer_id)
        select customer_id from deleted
        except
        select customer_id from {{ stale_customer }};
    end if;
end $take$;
    {%- endif -%}
{%- endmacro %}

{#- Post-hook of ticket_customer: notes the customers that the tickets have now. -#}
{% macro pass_stale_customers() -%}
    {%- set stale_ticket = source('silver_ledger', 'stale_ticket') -%}
    {%- set stale_customer = source('silver_ledger', 'stale_customer') -%}
    {%- if is_incremental() -%}
insert into {{ stale_customer }} (customer_id)
select customer_id from {{ this }} where ticket_id in (select ticket_id from {{ stale_ticket }})
except
select customer_id from {{ stale_customer }};
truncate {{ stale_ticket }};
    {%- endif -%}
{%- endmacro %}

{#- Pre-hook of customer_dim. -#}
{% macro take_stale_customers() -%}
    {%- set stale_customer = source('silver_ledger', 'stale_customer') -%}
    {%- if is_incremental() -%}
do $take$
begin
    if exists (select from {{ stale_customer }} where customer_id = '*') then
        delete from {{ this }};
        truncate {{ stale_customer }};
        insert into {{ stale_customer }} (customer_id) select distinct customer_id from {{ ref('ticket_customer') }};
    else
        delete from {{ this }} where customer_id in (select customer_id from {{ stale_customer }});
    end if;
end $take$;
analyze {{ stale_customer }};
    {%- endif -%}
{%- endmacro %}
