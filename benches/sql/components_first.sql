-- Every node begins in a component of its own.
SELECT node, node AS component FROM nodes
