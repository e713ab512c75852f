"""What an erasure takes out of released rows, and out of what readers were told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loader.release import feed
from loader.warehouse import ReleasedKind

# Versions keep their numbers and lose what the person had in them; what that was is kept: the two add up to before.
_REMOVE_FROM_RELEASES = """
create temporary table erased_release on commit drop as
select version.partition_key, version.data_release_id, count(*) as record_count, sum(held.row_digest) as record_digest
from {rows} as held
inner join release.partition_version as version
    on version.record_kind = %(kind)s
    and version.partition_key = held.partition_key
    and held.first_release_id <= version.data_release_id
    and (held.end_release_id is null or held.end_release_id > version.data_release_id)
where held.{whose}
group by version.partition_key, version.data_release_id;
insert into ops.erased_version (
    erasure_id, record_kind, partition_key, data_release_id, record_count, record_digest)
select %(erasure)s, %(kind)s, partition_key, data_release_id, record_count, record_digest from pg_temp.erased_release;
update release.partition_version as version
set record_count = version.record_count - gone.record_count, record_digest = version.record_digest - gone.record_digest
from pg_temp.erased_release as gone
where version.record_kind = %(kind)s and version.partition_key = gone.partition_key
    and version.data_release_id = gone.data_release_id;
drop table pg_temp.erased_release;
create temporary table erased_key on commit drop as
select record_key from pg_temp.erased_event where record_kind = %(kind)s
union
select {key} from {rows} as held where held.{whose};
insert into release.pending_record (record_kind, record_key)
select %(kind)s, {key} from {rows} as held where held.{whose}
on conflict do nothing;
delete from {rows} as held where held.{whose};
"""


def remove_from_releases(cursor: Any, kind: ReleasedKind, names: Mapping[str, str]) -> None:
    """The rows of `person` leave every version, and what readers were told of them keeps kind and key; where Silver
    does not show whose its rows are, by pg_temp.erased_event. `erasure`: its id; under its maintenance."""
    whose = "event_id in (select event_id from pg_temp.erased_event where record_kind = %(kind)s)"
    if kind.person_column is not None:
        whose = f"{kind.person_column} = %(person)s"
    told = {"rows": kind.rows, "key": kind.key_column, "whose": whose}
    cursor.execute(_REMOVE_FROM_RELEASES.format(**told), {**names, "kind": kind.record_kind})
    feed.write_erased(cursor, kind)
    cursor.execute("drop table pg_temp.erased_key")
