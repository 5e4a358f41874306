-- Each node passes its rank on in equal shares.
SELECT n.node, 0.15 / (SELECT count(*) FROM nodes) + 0.85 * coalesce(r.received, 0.0) AS rank
FROM nodes AS n
LEFT JOIN (
    SELECT l.target, sum(s.rank * l.weight) AS received
    FROM links AS l JOIN state AS s ON l.source = s.node
    GROUP BY l.target
) AS r ON n.node = r.target
