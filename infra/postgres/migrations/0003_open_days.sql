-- definition 5c3f662f070477b4c21b0323423336d656eb6e69022dc1d3547c45b95d93779d
-- A proof closes for the days without findings, and says which it left open.
alter table ops.proof add column open_partitions date [] not null default '{}';

-- Of which day a changed row is: other days stay ready.
alter table ops.unproved_change add column partition_key date;

-- What waited for the gate is told by its partition now. The view that asked for it is made anew by the next build.
do $waiting$
begin
    if exists (
        select from pg_attribute
        where attrelid = to_regclass('release.pending_ticket') and attname = 'is_assessed' and not attisdropped
    ) then
        update release.partition_gate set is_pending = true
        where exists (select from release.pending_ticket where not is_assessed);
        alter table release.pending_ticket drop column is_assessed cascade;
    end if;
end $waiting$;
