-- Each node takes the smallest component of its neighbours, in both directions, and its own.
SELECT s.node, least(s.component, coalesce(n.component, s.component)) AS component
FROM state AS s
LEFT JOIN (
    SELECT node, min(component) AS component
    FROM (
        SELECT l.target AS node, s.component FROM links AS l JOIN state AS s ON l.source = s.node
        UNION ALL
        SELECT l.source AS node, s.component FROM links AS l JOIN state AS s ON l.target = s.node
    ) AS received
    GROUP BY node
) AS n ON s.node = n.node
