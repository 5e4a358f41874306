-- Half of the widest table, all columns: what writing itself costs.
SELECT * FROM lineitem WHERE l_quantity > 25
