{#- Fails with the columns that the field policy (contracts/kinds) blocks in Silver, reconcile, serving, the
    stored releases and any schema that dbt gets later, and with the models whose SQL reads a blocked field under
    whatever name. Bronze, and staging, which is a look at it, hold whole records. -#}
{#- After all that it looks at. -#}
{%- do ref('ticket_version') %}
{%- do ref('serving_ticket_fact') %}
{%- do ref('serving_customer_dim') %}
{%- do ref('partition_status') %}
{%- do ref('reconcile_finding') %}
{%- do ref('drift_finding') %}
{%- set models = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') if execute else [] -%}
{%- set schemas = models | map(attribute='schema') | unique | reject('equalto', 'staging') | list -%}
{%- set in_code = blocked_fields_in_code(schemas) %}

with

stored_columns as (

    -- Not information_schema: that shows a role what it may see, and a relation may be somebody else's.
    select
        namespaces.nspname as schema_name,
        relations.relname as relation_name,
        attributes.attname as column_name,
        format_type(attributes.atttypid, null) as data_type
    from pg_attribute as attributes
    inner join pg_class as relations
        on attributes.attrelid = relations.oid
    inner join pg_namespace as namespaces
        on relations.relnamespace = namespaces.oid
    where
        (
            namespaces.nspname in ('silver', 'reconcile', 'serving', 'release')
            -- A layer that somebody adds.
            or (relations.relowner = current_user::regrole and namespaces.nspname <> 'staging')
        )
        and not pg_is_other_temp_schema(namespaces.oid)
        and relations.relkind in ('r', 'p', 'v', 'm', 'f')
        and attributes.attnum > 0
        and not attributes.attisdropped

),

judged as (

    {{ blocked_columns('stored_columns') | indent(4) }}

),

found as (

    select
        schema_name,
        relation_name,
        column_name,
        reason
    from judged
    where reason is not null
    {%- for item in in_code %}
    union all
    select
        '{{ item.schema }}' as schema_name,
        '{{ item.model }}' as relation_name,
        '{{ item.field }}' as column_name,
        'read by the SQL of the model' as reason
    {%- endfor %}

)

select * from found
