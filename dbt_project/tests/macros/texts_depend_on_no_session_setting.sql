{{ config(enabled=var('macro_tests', false)) }}
{#- Fails when the digest of a day or an instant, or the instant of a day, follows the session's time zone or date
    style. -#}
{%- set columns = [
    {'column': 'instant', 'type': 'instant'},
    {'column': 'calendar_day', 'type': 'date'},
    {'column': 'word', 'type': 'text'}
] -%}

with

side as (

    select
        timestamptz '2026-04-17 12:00:00.000001Z' as instant,
        date '2026-04-17' as calendar_day,
        null::text as word

),

settings as (

    select
        {{ row_digest(typed_texts(columns, 'side.')) }} as digest,
        {{ instant_of('side.calendar_day', 'date') }} as start_of_day,
        set_config('TimeZone', 'Asia/Kathmandu', true) as time_zone,
        set_config('DateStyle', 'SQL, DMY', true) as date_style
    from side

),

changed as (

    select
        {{ row_digest(typed_texts(columns, 'side.')) }} as digest,
        {{ instant_of('side.calendar_day', 'date') }} as start_of_day
    from side
    cross join settings
    where settings.time_zone is not null and settings.date_style is not null

)

select
    settings.digest,
    changed.digest as digest_in_kathmandu,
    changed.start_of_day
from settings
cross join changed
where
    settings.digest <> changed.digest
    or settings.start_of_day <> timestamptz '2026-04-17 00:00:00Z'
    or changed.start_of_day <> timestamptz '2026-04-17 00:00:00Z'
