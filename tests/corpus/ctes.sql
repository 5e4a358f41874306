-- a CTE used once
WITH londoners AS (SELECT * FROM people WHERE city = 'London') SELECT name FROM londoners;

-- a CTE used twice
WITH t AS (SELECT person_id, sum(amount) AS total FROM sales GROUP BY person_id)
SELECT a.person_id, b.person_id AS other FROM t a JOIN t b ON a.total < b.total;

-- a CTE of a CTE
WITH a AS (SELECT id, age FROM people), b AS (SELECT id, age * 2 AS twice FROM a), c AS (SELECT max(twice) AS m FROM b)
SELECT b.id, c.m FROM b, c;

-- a CTE that hides a table
WITH people AS (SELECT id FROM sales) SELECT count(*) FROM people;

-- a CTE within a subquery
SELECT id FROM people WHERE age > (WITH young AS (SELECT min(age) AS a FROM people) SELECT a FROM young);

-- recursive count
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT i FROM n;

-- recursive walk over a table
WITH RECURSIVE walk AS (
    SELECT src AS city, 0 AS steps FROM roads WHERE src = 'London'
    UNION ALL
    SELECT r.dst, w.steps + 1 FROM walk w JOIN roads r ON r.src = w.city
)
SELECT city, min(steps) AS steps FROM walk GROUP BY city;

-- recursive walk without repeats
WITH RECURSIVE reach AS (
    SELECT 'Paris' AS city
    UNION
    SELECT r.dst FROM reach w JOIN roads r ON r.src = w.city
)
SELECT city FROM reach;

-- a recursive CTE used twice
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4)
SELECT a.i, b.i AS j FROM n a JOIN n b ON a.i <= b.i;

-- a view
SELECT person_id, sum(total) AS total FROM big_sales GROUP BY person_id;

-- a view joined to itself
SELECT a.id, b.id AS other FROM big_sales a JOIN big_sales b ON a.person_id = b.person_id;
