-- definition 8c59badab16babc7c5903db1b62a0088be2d604ce94a3c7c9027e20742c556b1
-- No table has another shape. The definition brings bronze.hash_domain; of the kinds there were, every record says its own.
select;
