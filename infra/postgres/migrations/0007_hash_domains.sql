-- definition 5daa815be304514c4c8304c8eedec9a53b8d0b86bd2fe1854d00c387f43d2197
-- No table has another shape. The definition brings bronze.hash_domain; of the kinds there were, every record says its own.
select;
