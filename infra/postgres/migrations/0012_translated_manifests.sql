-- definition 3c0bfd6a4d936615c3c1b3752a9fa57ac4090f97a812e3afeabac52bc80340c5
-- A manifest may be the part of one kind of what was delivered in another dialect; a path is looked for in several folders.
alter table if exists ops.manifest add column delivered_bytes bytea;
alter table if exists ops.manifest_asset add column found_path text;
