-- Written by `loader kind generate` from contracts/kinds; `loader kind check` compares them.

-- Rows of silver.ticket_fact as they were released: shown from first_release_id up to, not including, end_release_id.
create table if not exists release.ticket_fact (
    first_release_id bigint not null references release.data_release,
    end_release_id bigint,
    -- Of its other columns, which are below.
    row_digest numeric not null,
    ticket_id text not null,
    partition_key date not null,
    primary key (partition_key, ticket_id, first_release_id),
    check (end_release_id > first_release_id)
);
-- A record has one newest row.
create unique index if not exists ticket_fact_newest on release.ticket_fact (ticket_id) where end_release_id is null;
create index if not exists ticket_fact_by_key on release.ticket_fact (ticket_id);
-- What begins and what ends between two versions of a partition is found without reading the rest.
create index if not exists ticket_fact_by_first on release.ticket_fact (partition_key, first_release_id);
create index if not exists ticket_fact_by_end on release.ticket_fact (partition_key, end_release_id)
where end_release_id is not null;
-- Cutting off empty pages at its end would lock readers out.
alter table release.ticket_fact set (vacuum_truncate = false);


-- Rows of silver.call_asset as they were released: shown from first_release_id up to, not including, end_release_id.
create table if not exists release.call_asset (
    first_release_id bigint not null references release.data_release,
    end_release_id bigint,
    -- Of its other columns, which are below.
    row_digest numeric not null,
    source_id text not null,
    partition_key date not null,
    primary key (partition_key, source_id, first_release_id),
    check (end_release_id > first_release_id)
);
-- A record has one newest row.
create unique index if not exists call_asset_newest on release.call_asset (source_id) where end_release_id is null;
create index if not exists call_asset_by_key on release.call_asset (source_id);
-- What begins and what ends between two versions of a partition is found without reading the rest.
create index if not exists call_asset_by_first on release.call_asset (partition_key, first_release_id);
create index if not exists call_asset_by_end on release.call_asset (partition_key, end_release_id)
where end_release_id is not null;
-- Cutting off empty pages at its end would lock readers out.
alter table release.call_asset set (vacuum_truncate = false);


-- Rows of silver.knowledge_doc as they were released: shown from first_release_id up to, not including, end_release_id.
create table if not exists release.knowledge_doc (
    first_release_id bigint not null references release.data_release,
    end_release_id bigint,
    -- Of its other columns, which are below.
    row_digest numeric not null,
    source_id text not null,
    partition_key date not null,
    primary key (partition_key, source_id, first_release_id),
    check (end_release_id > first_release_id)
);
-- A record has one newest row.
create unique index if not exists knowledge_doc_newest on release.knowledge_doc (source_id) where end_release_id is null;
create index if not exists knowledge_doc_by_key on release.knowledge_doc (source_id);
-- What begins and what ends between two versions of a partition is found without reading the rest.
create index if not exists knowledge_doc_by_first on release.knowledge_doc (partition_key, first_release_id);
create index if not exists knowledge_doc_by_end on release.knowledge_doc (partition_key, end_release_id)
where end_release_id is not null;
-- Cutting off empty pages at its end would lock readers out.
alter table release.knowledge_doc set (vacuum_truncate = false);


-- Rows of silver.image_asset as they were released: shown from first_release_id up to, not including, end_release_id.
create table if not exists release.image_asset (
    first_release_id bigint not null references release.data_release,
    end_release_id bigint,
    -- Of its other columns, which are below.
    row_digest numeric not null,
    source_id text not null,
    partition_key date not null,
    primary key (partition_key, source_id, first_release_id),
    check (end_release_id > first_release_id)
);
-- A record has one newest row.
create unique index if not exists image_asset_newest on release.image_asset (source_id) where end_release_id is null;
create index if not exists image_asset_by_key on release.image_asset (source_id);
-- What begins and what ends between two versions of a partition is found without reading the rest.
create index if not exists image_asset_by_first on release.image_asset (partition_key, first_release_id);
create index if not exists image_asset_by_end on release.image_asset (partition_key, end_release_id)
where end_release_id is not null;
-- Cutting off empty pages at its end would lock readers out.
alter table release.image_asset set (vacuum_truncate = false);


-- Rows of silver.video_asset as they were released: shown from first_release_id up to, not including, end_release_id.
create table if not exists release.video_asset (
    first_release_id bigint not null references release.data_release,
    end_release_id bigint,
    -- Of its other columns, which are below.
    row_digest numeric not null,
    source_id text not null,
    partition_key date not null,
    primary key (partition_key, source_id, first_release_id),
    check (end_release_id > first_release_id)
);
-- A record has one newest row.
create unique index if not exists video_asset_newest on release.video_asset (source_id) where end_release_id is null;
create index if not exists video_asset_by_key on release.video_asset (source_id);
-- What begins and what ends between two versions of a partition is found without reading the rest.
create index if not exists video_asset_by_first on release.video_asset (partition_key, first_release_id);
create index if not exists video_asset_by_end on release.video_asset (partition_key, end_release_id)
where end_release_id is not null;
-- Cutting off empty pages at its end would lock readers out.
alter table release.video_asset set (vacuum_truncate = false);


-- Rows of silver.ocr_text as they were released: shown from first_release_id up to, not including, end_release_id.
create table if not exists release.ocr_text (
    first_release_id bigint not null references release.data_release,
    end_release_id bigint,
    -- Of its other columns, which are below.
    row_digest numeric not null,
    source_id text not null,
    partition_key date not null,
    primary key (partition_key, source_id, first_release_id),
    check (end_release_id > first_release_id)
);
-- A record has one newest row.
create unique index if not exists ocr_text_newest on release.ocr_text (source_id) where end_release_id is null;
create index if not exists ocr_text_by_key on release.ocr_text (source_id);
-- What begins and what ends between two versions of a partition is found without reading the rest.
create index if not exists ocr_text_by_first on release.ocr_text (partition_key, first_release_id);
create index if not exists ocr_text_by_end on release.ocr_text (partition_key, end_release_id)
where end_release_id is not null;
-- Cutting off empty pages at its end would lock readers out.
alter table release.ocr_text set (vacuum_truncate = false);


-- Rows of silver.ticket_comment_fact as they were released: shown from first_release_id up to, not including, end_release_id.
create table if not exists release.ticket_comment_fact (
    first_release_id bigint not null references release.data_release,
    end_release_id bigint,
    -- Of its other columns, which are below.
    row_digest numeric not null,
    comment_id text not null,
    partition_key date not null,
    primary key (partition_key, comment_id, first_release_id),
    check (end_release_id > first_release_id)
);
-- A record has one newest row.
create unique index if not exists ticket_comment_fact_newest on release.ticket_comment_fact (comment_id) where end_release_id is null;
create index if not exists ticket_comment_fact_by_key on release.ticket_comment_fact (comment_id);
-- What begins and what ends between two versions of a partition is found without reading the rest.
create index if not exists ticket_comment_fact_by_first on release.ticket_comment_fact (partition_key, first_release_id);
create index if not exists ticket_comment_fact_by_end on release.ticket_comment_fact (partition_key, end_release_id)
where end_release_id is not null;
-- Cutting off empty pages at its end would lock readers out.
alter table release.ticket_comment_fact set (vacuum_truncate = false);


-- Rows of silver.transcript_line as they were released: shown from first_release_id up to, not including, end_release_id.
create table if not exists release.transcript_line (
    first_release_id bigint not null references release.data_release,
    end_release_id bigint,
    -- Of its other columns, which are below.
    row_digest numeric not null,
    segment_id text not null,
    partition_key date not null,
    primary key (partition_key, segment_id, first_release_id),
    check (end_release_id > first_release_id)
);
-- A record has one newest row.
create unique index if not exists transcript_line_newest on release.transcript_line (segment_id) where end_release_id is null;
create index if not exists transcript_line_by_key on release.transcript_line (segment_id);
-- What begins and what ends between two versions of a partition is found without reading the rest.
create index if not exists transcript_line_by_first on release.transcript_line (partition_key, first_release_id);
create index if not exists transcript_line_by_end on release.transcript_line (partition_key, end_release_id)
where end_release_id is not null;
-- Cutting off empty pages at its end would lock readers out.
alter table release.transcript_line set (vacuum_truncate = false);

-- The columns of released rows. One that was declared since is null in rows from before; what every record has to have
-- is Silver's contract. Rows keep the columns and the types that they were released with.
do $columns$
declare
    declared record;
begin
    for declared in
        with listed as (
            select rows, split_part(told, ' ', 1) as name, split_part(told, ' ', 2)::regtype as type, place
            from (values
                ('release.ticket_fact'::regclass, array[
                    'ticket_id text', 'record_source text', 'schema_version text', 'customer_id text',
                    'org_id text', 'status text', 'priority text', 'category text', 'product_line text',
                    'product_version text', 'error_codes jsonb', 'asset_ids jsonb', 'assignee_id text',
                    'sla_tier text', 'sla_due_at timestamptz', 'created_at timestamptz', 'updated_at timestamptz',
                    'resolved_at timestamptz', 'pii_level text', 'pii_redacted boolean', 'quality_gate text',
                    'owner text', 'tags jsonb', 'partition_key date', 'is_open boolean', 'version_count bigint',
                    'warning_codes text[]', 'record_fingerprint text', 'event_id uuid', 'asset_id integer',
                    'source_fingerprint text', 'line_number integer', 'manifest_id text', 'batch_id text',
                    'ingest_batch_id text', 'run_id uuid', 'dlt_load_id text'
                ]),
                ('release.call_asset'::regclass, array[
                    'source_id text', 'record_source text', 'asset_type text', 'license text', 'owner text',
                    'language text', 'product_line text', 'tags jsonb', 'quality_gate text', 'pii_level text',
                    'ticket_id text', 'recorded_at timestamptz', 'speaker_count numeric', 'is_diarised boolean',
                    'transcript_path text', 'media_type text', 'codec text', 'duration_seconds numeric',
                    'sample_rate_hz numeric', 'channel_count numeric', 'size_bytes numeric', 'content_sha256 text',
                    'partition_key date', 'raw_zone_key text', 'version_count bigint', 'warning_codes text[]',
                    'record_fingerprint text', 'event_id uuid', 'asset_id integer', 'source_fingerprint text',
                    'line_number integer', 'manifest_id text', 'batch_id text', 'run_id uuid', 'dlt_load_id text'
                ]),
                ('release.knowledge_doc'::regclass, array[
                    'source_id text', 'record_source text', 'asset_type text', 'license text', 'owner text',
                    'title text', 'language text', 'product_line text', 'tags jsonb', 'captured_at timestamptz',
                    'media_type text', 'page_count numeric', 'word_count numeric', 'size_bytes numeric',
                    'content_sha256 text', 'partition_key date', 'raw_zone_key text', 'version_count bigint',
                    'warning_codes text[]', 'record_fingerprint text', 'event_id uuid', 'asset_id integer',
                    'source_fingerprint text', 'line_number integer', 'manifest_id text', 'batch_id text',
                    'run_id uuid', 'dlt_load_id text'
                ]),
                ('release.image_asset'::regclass, array[
                    'source_id text', 'record_source text', 'asset_type text', 'license text', 'owner text',
                    'language text', 'product_line text', 'tags jsonb', 'quality_gate text', 'pii_level text',
                    'ticket_id text', 'recorded_at timestamptz', 'media_type text', 'width_pixels numeric',
                    'height_pixels numeric', 'frame_count numeric', 'size_bytes numeric', 'content_sha256 text',
                    'partition_key date', 'raw_zone_key text', 'version_count bigint', 'warning_codes text[]',
                    'record_fingerprint text', 'event_id uuid', 'asset_id integer', 'source_fingerprint text',
                    'line_number integer', 'manifest_id text', 'batch_id text', 'run_id uuid', 'dlt_load_id text'
                ]),
                ('release.video_asset'::regclass, array[
                    'source_id text', 'record_source text', 'asset_type text', 'license text', 'owner text',
                    'language text', 'product_line text', 'tags jsonb', 'quality_gate text', 'pii_level text',
                    'ticket_id text', 'recorded_at timestamptz', 'speaker_count numeric', 'is_diarised boolean',
                    'transcript_path text', 'audio_track_path text', 'key_frame_paths jsonb', 'media_type text',
                    'codec text', 'duration_seconds numeric', 'width_pixels numeric', 'height_pixels numeric',
                    'frame_rate numeric', 'audio_codec text', 'sample_rate_hz numeric', 'channel_count numeric',
                    'size_bytes numeric', 'content_sha256 text', 'partition_key date', 'raw_zone_key text',
                    'version_count bigint', 'warning_codes text[]', 'record_fingerprint text', 'event_id uuid',
                    'asset_id integer', 'source_fingerprint text', 'line_number integer', 'manifest_id text',
                    'batch_id text', 'run_id uuid', 'dlt_load_id text'
                ]),
                ('release.ocr_text'::regclass, array[
                    'source_id text', 'record_source text', 'asset_type text', 'license text', 'owner text',
                    'language text', 'quality_gate text', 'pii_level text', 'linked_source_id text',
                    'recorded_at timestamptz', 'media_type text', 'word_count numeric', 'character_count numeric',
                    'line_count numeric', 'size_bytes numeric', 'content_sha256 text', 'partition_key date',
                    'raw_zone_key text', 'version_count bigint', 'warning_codes text[]', 'record_fingerprint text',
                    'event_id uuid', 'asset_id integer', 'source_fingerprint text', 'line_number integer',
                    'manifest_id text', 'batch_id text', 'run_id uuid', 'dlt_load_id text'
                ]),
                ('release.ticket_comment_fact'::regclass, array[
                    'comment_id text', 'schema_version text', 'record_source text', 'ticket_id text',
                    'author_id text', 'author_role text', 'visibility text', 'word_count numeric',
                    'seconds_to_reply numeric', 'attachments jsonb', 'created_at timestamptz',
                    'updated_at timestamptz', 'partition_key date', 'version_count bigint', 'warning_codes text[]',
                    'record_fingerprint text', 'event_id uuid', 'asset_id integer', 'source_fingerprint text',
                    'line_number integer', 'manifest_id text', 'batch_id text', 'ingest_batch_id text',
                    'run_id uuid', 'dlt_load_id text'
                ]),
                ('release.transcript_line'::regclass, array[
                    'segment_id text', 'segment_number numeric', 'record_source text', 'asset_type text',
                    'license text', 'language text', 'linked_source_id text', 'recorded_at timestamptz',
                    'start_seconds numeric', 'end_seconds numeric', 'speaker text', 'content_sha256 text',
                    'partition_key date', 'version_count bigint', 'warning_codes text[]', 'record_fingerprint text',
                    'event_id uuid', 'asset_id integer', 'source_fingerprint text', 'line_number integer',
                    'manifest_id text', 'batch_id text', 'run_id uuid', 'dlt_load_id text'
                ])
            ) as of_kinds (rows, columns)
            cross join unnest(columns) with ordinality as each (told, place)
        ),

        held as (
            select attrelid as rows, attname as name, atttypid::regtype as type, attnotnull as is_required,
                exists (
                    select from pg_index where indrelid = attrelid and indisprimary and attnum = any(indkey)
                ) as is_key
            from pg_attribute
            where attrelid in (select rows from listed) and attnum > 0 and not attisdropped
                and attname not in ('first_release_id', 'end_release_id', 'row_digest')
        )

        select rows::regclass as rows, name, listed.type as wanted, held.type as got,
            held.is_required, held.is_key
        from listed
        full join held using (rows, name)
        order by rows, place
    loop
        if declared.got is null then
            execute format('alter table %s add column %I %s', declared.rows, declared.name, declared.wanted);
        elsif declared.got is distinct from declared.wanted then
            raise exception using errcode = 'OM002', message = format(
                '%s.%s: got %s, which rows were released with, and contracts/kinds declares %s',
                declared.rows, declared.name, declared.got, coalesce(declared.wanted::text, 'no such column'));
        elsif declared.is_required and not declared.is_key then
            execute format('alter table %s alter column %I drop not null', declared.rows, declared.name);
        end if;
    end loop;
end $columns$;

create index if not exists ticket_fact_by_person on release.ticket_fact (customer_id);
create index if not exists ticket_comment_fact_by_person on release.ticket_comment_fact (author_id);

-- Which kinds have released rows: their tables and models, the columns of their records' key and person, and further
-- models of Silver that follow.
create or replace view release.released_kind as
select * from (values
    ('ticket_v1', 'raw_ticket_event', 'ticket_fact', 'ticket_id', 'customer_id', array['customer_dim']::text[]),
    ('call_v1', 'raw_audio_asset', 'call_asset', 'source_id', null::text, array[]::text[]),
    ('document_v1', 'raw_doc_asset', 'knowledge_doc', 'source_id', null::text, array[]::text[]),
    ('image_v1', 'raw_image_asset', 'image_asset', 'source_id', null::text, array[]::text[]),
    ('video_v1', 'raw_video_asset', 'video_asset', 'source_id', null::text, array[]::text[]),
    ('ocr_text_v1', 'raw_ocr_text', 'ocr_text', 'source_id', null::text, array[]::text[]),
    ('ticket_comment_v1', 'raw_ticket_comment_event', 'ticket_comment_fact', 'comment_id', 'author_id', array[]::text[]),
    ('transcript_line_v1', 'raw_transcript_line', 'transcript_line', 'segment_id', null::text, array[]::text[])
) as declared (record_kind, bronze_table, table_name, key_column, person_column, dimensions);
