-- Owner: the loader. What each channel was told last of a day, and what it is still to be told. (docs/decisions/0033)

-- One row per channel and subject (<kind>/<day>, or the warehouse) of which somebody was told that it needs them, or is
-- to be told. It holds no word of a record, and goes when all is well and everybody knows.
create table if not exists ops.alert (
    channel text not null,
    subject text not null,
    -- Decisions as loader/alerts/decisions.py writes them.
    told jsonb,
    waiting jsonb,
    changed_at timestamptz not null default now(),
    told_at timestamptz,
    attempt_count integer not null default 0,
    failure text,
    primary key (channel, subject)
);
