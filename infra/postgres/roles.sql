-- The four roles of this warehouse and what each may do to the database that this file is run in. For an administrator:
-- a superuser, or a role with CREATEROLE that owns the database. `loader up` runs it where its login is one.
-- Every statement may be run again. Roles have no password here: set one with \password where they log in themselves,
-- or grant omni_loader and omni_transform to the login that runs the loader. (docs/access.md)
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
end $roles$;

do $database$
declare
    creator text;
begin
    -- Schemas of their own: dlt's staging for the one, dbt's layers for the other.
    foreach creator in array array['omni_loader', 'omni_transform'] loop
        if not has_database_privilege(creator, current_database(), 'create') then
            execute format('grant create on database %I to %I', current_database(), creator);
        end if;
    end loop;
    if not has_database_privilege('omni_reader', current_database(), 'connect') then
        execute format(
            'grant connect on database %I to omni_loader, omni_transform, omni_reader, omni_auditor',
            current_database());
    end if;
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
                case when nspname in ('staging', 'silver', 'reconcile', 'serving') then 'omni_transform'
                    else 'omni_loader' end as owner
            from pg_namespace
            where
                nspname in ('bronze', 'ops', 'release', 'staging', 'silver', 'reconcile', 'serving')
                or starts_with(nspname, 'bronze_staging_')
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
            -- A sequence of an identity column goes with its table.
            and not exists (
                select from pg_depend
                where classid = 'pg_class'::regclass and objid = relation.oid and deptype in ('a', 'i')
            )
        union all
        select 3, layer.owner, format('function %s', routine.oid::regprocedure)
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
