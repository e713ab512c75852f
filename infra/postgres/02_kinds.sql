-- Written by `loader kind generate` from contracts/kinds; `loader kind check` compares them.
create table if not exists bronze.raw_ticket_event partition of bronze.record_event for values in ('ticket_v1');
create table if not exists bronze.raw_audio_asset partition of bronze.record_event for values in ('call_v1');
create table if not exists bronze.raw_doc_asset partition of bronze.record_event for values in ('document_v1');
create table if not exists bronze.raw_image_asset partition of bronze.record_event for values in ('image_v1');
create table if not exists bronze.raw_video_asset partition of bronze.record_event for values in ('video_v1');
create table if not exists bronze.raw_ocr_text partition of bronze.record_event for values in ('ocr_text_v1');
create table if not exists bronze.raw_ticket_comment_event partition of bronze.record_event for values in ('ticket_comment_v1');
create table if not exists bronze.raw_transcript_line partition of bronze.record_event for values in ('transcript_line_v1');

-- What stands before a record in what its fingerprint is of: its kind's name, nothing where records say it themselves.
create or replace function bronze.hash_domain(record_kind text) returns text
language sql immutable parallel safe
as $function$ select case when record_kind = any ('{call_v1,document_v1,image_v1,video_v1,ocr_text_v1,transcript_line_v1}'::text []) then record_kind else '' end $function$;

-- What a record of a whole asset is of: its key without the number of its line.
create or replace function bronze.whole_of(record_key text) returns text
language sql immutable parallel safe
as $function$ select regexp_replace(record_key, ':[0-9]+$', '') $function$;
create index if not exists raw_transcript_line_by_whole on bronze.raw_transcript_line (bronze.whole_of(record_key));

-- Nobody searches by these: their statistics would be most of an ANALYZE.
alter table bronze.record_event
    alter column raw_payload set statistics 0,
    alter column record_fingerprint set statistics 0;
