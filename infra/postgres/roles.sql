-- Names without a schema are PostgreSQL's own, whoever runs this and whatever its path was.
set search_path = pg_catalog, pg_temp;

-- The four roles of this warehouse and what each may do to the database that this file is run in. For an administrator:
-- a superuser, or a role with CREATEROLE that owns the database. `loader up` runs it where its login is one.
-- Every statement may be run again. Roles have no password here: set one with \password where they log in themselves,
-- or grant omni_loader and omni_transform to the login that runs the loader. (docs/access.md, docs/decisions/0013)
do $roles$
declare
    wanted text;
begin
    foreach wanted in array array['omni_loader', 'omni_transform', 'omni_reader', 'omni_auditor'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            execute format('create role %I login', wanted);
        end if;
        -- Who runs this may act as each role, as the loader does by "set role". (PostgreSQL 16 and newer give the creator
        -- of a role the right to grant it, and no more.)
        if not (select rolsuper from pg_roles where rolname = current_user)
            and not pg_has_role(
                wanted, case when current_setting('server_version_num')::integer >= 160000 then 'set' else 'member' end)
        then
            execute format('grant %I to %I', wanted, current_user);
        end if;
    end loop;
    -- The loader pins the path of its own sessions; these are for any other client that logs in as one of the two.
    foreach wanted in array array['omni_loader', 'omni_auditor'] loop
        if not exists (
            select from pg_db_role_setting
            where setrole = wanted::regrole and setdatabase = 0 and 'search_path=pg_catalog' = any(setconfig)
        ) then
            execute format('alter role %I set search_path = pg_catalog', wanted);
        end if;
    end loop;
end $roles$;

-- What somebody else has put into these schemas would be taken for the loader's or dbt's own: a function may be called
-- there, a view read, and a change of its owner would lend it the new owner's rights. It is named, and nothing is done.
-- Superusers, and who runs this, are not somebody else: an earlier version made everything as one of them.
do $strangers$
declare
    strange text;
begin
    with layer as (
        select
            name,
            case when name in ('bronze', 'ops', 'release') then 'omni_loader' else 'omni_transform' end as owner
        from unnest(array['bronze', 'ops', 'release', 'staging', 'silver', 'reconcile', 'serving']) as name
    ),
    owned as (
        select thing.type || ' ' || thing.identity as thing, coalesce(thing.schema, thing.name) as schema_name,
            pg_get_userbyid(dependency.refobjid) as owner
        from pg_shdepend as dependency
        cross join lateral pg_identify_object(dependency.classid, dependency.objid, dependency.objsubid) as thing
        where dependency.dbid = (select oid from pg_database where datname = current_database())
            and dependency.deptype = 'o' and dependency.refclassid = 'pg_authid'::regclass
            and (thing.schema is not null or thing.type = 'schema')
    )
    select string_agg(format('%s (of %s)', owned.thing, owned.owner), ', ' order by owned.thing) into strange
    from owned
    inner join layer on layer.name = owned.schema_name
    inner join pg_roles on pg_roles.rolname = owned.owner
    where owned.owner not in (layer.owner, current_user) and not pg_roles.rolsuper;
    if strange is not null then
        raise exception 'what is neither the loader''s nor dbt''s stands in their schemas: %', strange
            using errcode = 'OM001', hint = 'Look at it, then drop it or move it to another schema, and run this again.';
    end if;
end $strangers$;

do $database$
declare
    layer text;
begin
    -- For dlt's staging schemas, one per attempt.
    if not has_database_privilege('omni_loader', current_database(), 'create') then
        execute format('grant create on database %I to omni_loader', current_database());
    end if;
    if not has_database_privilege('omni_reader', current_database(), 'connect') then
        execute format(
            'grant connect on database %I to omni_loader, omni_transform, omni_reader, omni_auditor',
            current_database());
    end if;
    -- Where everybody else is denied temporary tables, too.
    execute format('grant temporary on database %I to omni_loader, omni_transform', current_database());
    -- dbt's layers: who may make schemas can name one so that others look into it.
    if has_database_privilege('omni_transform', current_database(), 'create') then
        execute format('revoke create on database %I from omni_transform', current_database());
    end if;
    if has_database_privilege('omni_transform', current_database(), 'create') then
        raise exception 'omni_transform may still create schemas in database %', quote_ident(current_database())
            using errcode = 'OM001',
                hint = 'It has the right from PUBLIC, from a role that it is in, or by a grant of somebody else (psql: \l).';
    end if;
    foreach layer in array array['staging', 'silver', 'reconcile', 'serving'] loop
        if to_regnamespace(layer) is null then
            execute format('create schema %I authorization omni_transform', layer);
        end if;
    end loop;
end $database$;

-- What an earlier version made as one owner of everything goes to the owner that it has now.
do $adopt$
declare
    found record;
begin
    for found in
        with layer as (
            select
                oid,
                nspname,
                case when nspname in ('bronze', 'ops', 'release') then 'omni_loader' else 'omni_transform' end as owner
            from pg_namespace
            where nspname in ('bronze', 'ops', 'release', 'staging', 'silver', 'reconcile', 'serving')
        )
        select 1 as step, layer.owner, format('schema %I', layer.nspname) as thing
        from layer
        inner join pg_namespace on pg_namespace.oid = layer.oid
        where pg_namespace.nspowner <> layer.owner::regrole
        union all
        select
            2,
            layer.owner,
            format(
                '%s %I.%I',
                case relation.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
                    else 'table' end,
                layer.nspname, relation.relname)
        from pg_class as relation
        inner join layer on layer.oid = relation.relnamespace
        where
            relation.relkind in ('r', 'p', 'v', 'm', 'S')
            and relation.relowner <> layer.owner::regrole
            -- A sequence of an identity column goes with its table. (A partition depends on its table, and does not.)
            and not (
                relation.relkind = 'S'
                and exists (
                    select from pg_depend
                    where classid = 'pg_class'::regclass and objid = relation.oid and deptype in ('a', 'i')
                )
            )
        union all
        select 3, layer.owner, format('routine %s', routine.oid::regprocedure)
        from pg_proc as routine
        inner join layer on layer.oid = routine.pronamespace
        where routine.proowner <> layer.owner::regrole
        order by step
    loop
        execute format('alter %s owner to %I', found.thing, found.owner);
    end loop;
end $adopt$;

-- Advisory locks are anybody's, and nothing here waits for one; taken away where a superuser can, in this database only.
do $advisory$
declare
    routine pg_catalog.regprocedure;
begin
    if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
        return;
    end if;
    for routine in
        select oid::pg_catalog.regprocedure from pg_catalog.pg_proc
        where
            pronamespace = 'pg_catalog'::pg_catalog.regnamespace
            and proname ~ '^pg_(try_)?advisory_'
            and pg_catalog.has_function_privilege('public', oid, 'execute')
    loop
        execute pg_catalog.format('revoke execute on function %s from public', routine);
    end loop;
end $advisory$;
-- Connections that are kept for the loader and dbt (reserved_connections), however many others take.
do $connections$
begin
    if (select rolsuper from pg_roles where rolname = current_user)
        and exists (select from pg_roles where rolname = 'pg_use_reserved_connections')
    then
        grant pg_use_reserved_connections to omni_loader, omni_transform;
    end if;
end $connections$;

-- Only their owner reads what dbt built, and readers what is served (loader/warehouse/built.py).
do $rights$
declare
    layer text;
begin
    foreach layer in array array['staging', 'silver', 'reconcile', 'serving'] loop
        if has_schema_privilege('omni_loader', layer, 'usage') then
            execute format('revoke all on schema %I from omni_loader', layer);
        end if;
        if has_schema_privilege('omni_auditor', layer, 'usage') then
            execute format('revoke all on schema %I from omni_auditor', layer);
        end if;
    end loop;
end $rights$;
