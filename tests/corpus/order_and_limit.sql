-- sort with nulls first
SELECT id, city FROM people ORDER BY city NULLS FIRST, id;

-- sort descending with nulls last
SELECT id, age FROM people ORDER BY age DESC NULLS LAST, id DESC;

-- sort by a column that is not selected
SELECT name FROM people ORDER BY id DESC;

-- sort by an expression
SELECT id, quantity FROM sales ORDER BY quantity * -1 NULLS FIRST, id;

-- sort with not-a-number, infinities and both zeros
SELECT id, value FROM doubles ORDER BY value, id;

-- limit with order
SELECT id, amount FROM sales ORDER BY amount DESC NULLS LAST, id LIMIT 4;

-- offset with order
SELECT id FROM sales ORDER BY id LIMIT 3 OFFSET 5;

-- offset beyond the end
SELECT id FROM people ORDER BY id LIMIT 3 OFFSET 100;

-- limit zero
SELECT id, name FROM people ORDER BY id LIMIT 0;

-- limit inside, sort outside
SELECT id FROM (SELECT id FROM people ORDER BY age DESC NULLS LAST, id LIMIT 3) ORDER BY id;

-- sort inside a subquery that is aggregated in order
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM people ORDER BY name);

-- limit over a union, in order
(SELECT id FROM people UNION ALL SELECT id FROM sales) ORDER BY id DESC LIMIT 5;

-- distinct on
SELECT DISTINCT ON (city) city, id, name FROM people ORDER BY city NULLS LAST, id DESC;

-- distinct, ordered
SELECT DISTINCT product FROM sales ORDER BY product NULLS FIRST;
