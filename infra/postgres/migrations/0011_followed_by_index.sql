-- definition 98a5db2b31ca2ce9917a6f5aaaa47310c0949027bd39416df196a73d60eafa37
-- No table has another shape. The definition brings two indexes: a file is found by its name, a record of evidence by its run.
select;
