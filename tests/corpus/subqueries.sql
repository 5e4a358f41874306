-- uncorrelated scalar subquery
SELECT id, age - (SELECT min(age) FROM people) AS above FROM people;

-- scalar subquery of nothing
SELECT id, (SELECT max(id) FROM nothing) AS m FROM people;

-- correlated scalar subquery
SELECT p.id, (SELECT sum(s.quantity) FROM sales s WHERE s.person_id = p.id) AS pieces FROM people p;

-- correlated count that is zero for some
SELECT p.id, (SELECT count(*) FROM sales s WHERE s.person_id = p.id) AS n FROM people p;

-- exists
SELECT p.id FROM people p WHERE EXISTS (SELECT 1 FROM sales s WHERE s.person_id = p.id AND s.quantity > 2);

-- not exists
SELECT p.id FROM people p WHERE NOT EXISTS (SELECT 1 FROM sales s WHERE s.person_id = p.id);

-- uncorrelated exists
SELECT id FROM people WHERE EXISTS (SELECT 1 FROM nothing) OR age > 40;

-- in
SELECT id FROM sales WHERE person_id IN (SELECT id FROM people WHERE city = 'London');

-- not in with a null on the right gives nothing
SELECT id FROM people WHERE id NOT IN (SELECT person_id FROM sales);

-- not in without nulls
SELECT id FROM people WHERE id NOT IN (SELECT person_id FROM sales WHERE person_id IS NOT NULL);

-- in under an or
SELECT id FROM people WHERE id IN (SELECT person_id FROM sales) OR city = 'Oslo';

-- any
SELECT p.id FROM people p WHERE p.age > ANY (SELECT q.age FROM people q WHERE q.city = 'Paris');

-- subquery in having
SELECT city, count(*) AS n FROM people GROUP BY city HAVING count(*) >= (SELECT count(*) FROM roads WHERE km > 1800);

-- subquery in the select list of an aggregate
SELECT sum(age + (SELECT max(quantity) FROM sales)) FROM people;

-- two levels
SELECT id FROM people WHERE id IN (
    SELECT person_id FROM sales WHERE product IN (SELECT product FROM sales WHERE quantity >= 5)
);

-- derived table within a derived table
SELECT t.n * 2 AS twice FROM (SELECT n FROM (SELECT count(*) AS n FROM sales) AS inside) AS t;
