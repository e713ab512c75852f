-- definition 899c5f9c020640225262b0163a8addba4065a7c6508721f3fa65c42b37e2cc47
-- No table has another shape. The definition brings bronze.hash_domain; of the kinds there were, every record says its own.
select;
