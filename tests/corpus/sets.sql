-- union all
SELECT id, name FROM people UNION ALL SELECT id, product FROM sales;

-- union removes duplicates
SELECT city FROM people UNION SELECT src FROM roads UNION SELECT dst FROM roads;

-- union by name
SELECT id, name FROM people UNION ALL BY NAME SELECT product AS name, id FROM sales;

-- intersect
SELECT city FROM people INTERSECT SELECT src FROM roads;

-- intersect all
SELECT city FROM people INTERSECT ALL SELECT dst FROM roads;

-- except
SELECT id FROM people EXCEPT SELECT person_id FROM sales;

-- except all
SELECT person_id FROM sales EXCEPT ALL SELECT id FROM people WHERE id > 2;

-- distinct rows with nulls
SELECT DISTINCT city, age FROM people;

-- union of different types
SELECT id, 1 AS one FROM people UNION ALL SELECT id, 2.5 FROM people;

-- union of nothing and something
SELECT id FROM nothing UNION ALL SELECT id FROM people;

-- values
SELECT * FROM (VALUES (1, 'a', NULL), (2, NULL, 3.5), (NULL, 'c', -1.0)) AS v(n, t, f);

-- a query without a table
SELECT 1 AS one, 'two' AS two, NULL AS nothing;
