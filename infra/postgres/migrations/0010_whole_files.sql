-- definition 21be766d5515744f36f7ad201390fda00c7c15e4113fd732fa5fa14ce9aab9f5
-- A file may be a record: what is declared of it is then part of the asset, which its bytes alone do not name any more.
alter table if exists ops.source_asset add column declaration text not null default '';
alter table if exists ops.source_asset drop constraint if exists source_asset_source_fingerprint_record_kind_key;
alter table if exists ops.manifest_asset add column partition_key date;
