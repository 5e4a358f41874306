-- Every node begins with the same rank.
SELECT node, CAST(1.0 AS DOUBLE) / (SELECT count(*) FROM nodes) AS rank FROM nodes
