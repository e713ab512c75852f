-- definition e39612657b4e843b933b5f9938cfcdd798efc78773c0c20fb71d59632eac03f2
-- A file may be a record: what is declared of it is then part of the asset, which its bytes alone do not name any more.
alter table if exists ops.source_asset add column declaration text not null default '';
alter table if exists ops.source_asset drop constraint if exists source_asset_source_fingerprint_record_kind_key;
alter table if exists ops.manifest_asset add column partition_key date;
