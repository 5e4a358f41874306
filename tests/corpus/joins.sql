-- inner join
SELECT p.name, s.product, s.quantity FROM people p JOIN sales s ON s.person_id = p.id;

-- left join keeps people without sales
SELECT p.id, p.name, s.id AS sale FROM people p LEFT JOIN sales s ON s.person_id = p.id;

-- right join keeps sales without people
SELECT p.name, s.id AS sale FROM people p RIGHT JOIN sales s ON s.person_id = p.id;

-- full join keeps both
SELECT p.id AS person, s.id AS sale FROM people p FULL JOIN sales s ON s.person_id = p.id;

-- left semi join
SELECT p.name FROM people p LEFT SEMI JOIN sales s ON s.person_id = p.id;

-- left anti join
SELECT p.id FROM people p LEFT ANTI JOIN sales s ON s.person_id = p.id;

-- right semi join
SELECT s.id FROM people p RIGHT SEMI JOIN sales s ON s.person_id = p.id;

-- right anti join
SELECT s.id FROM people p RIGHT ANTI JOIN sales s ON s.person_id = p.id;

-- join with a residual condition
SELECT p.name, s.id FROM people p JOIN sales s ON s.person_id = p.id AND s.amount > p.age / 10;

-- left join with a condition on the preserved side
SELECT p.id, s.id AS sale FROM people p LEFT JOIN sales s ON s.person_id = p.id AND p.age > 40;

-- join on an inequality
SELECT a.id, b.id AS older FROM people a JOIN people b ON a.age < b.age;

-- join on keys that are null on both sides
SELECT a.id, b.id AS other FROM people a JOIN people b ON a.city IS NOT DISTINCT FROM b.city;

-- cross join
SELECT p.id, r.km FROM people p CROSS JOIN roads r;

-- join using
SELECT id, a.name, b.city FROM people a JOIN people b USING (id);

-- natural join
SELECT * FROM (SELECT id, name FROM people) a NATURAL JOIN (SELECT id, age FROM people) b;

-- self join three times
SELECT a.src, b.src AS mid, c.dst FROM roads a JOIN roads b ON a.dst = b.src JOIN roads c ON b.dst = c.src;

-- join of aggregates
SELECT p.city, p.n, s.total
FROM (SELECT city, count(*) AS n FROM people GROUP BY city) p
LEFT JOIN (
    SELECT p2.city, sum(s2.amount) AS total FROM sales s2 JOIN people p2 ON p2.id = s2.person_id GROUP BY p2.city
) s ON s.city = p.city;

-- join of both sides empty
SELECT a.id, b.name FROM nothing a JOIN nothing b ON a.id = b.id;

-- full join with an empty side
SELECT p.id, n.name FROM people p FULL JOIN nothing n ON n.id = p.id;

-- duplicate column names at the root
SELECT p.id, s.id, r.id FROM people p JOIN sales s ON s.person_id = p.id JOIN nested r ON r.id = p.id;

-- a wildcard over a join that repeats names
SELECT p.*, q.* FROM people p JOIN people q ON p.id = q.id WHERE q.age > 30;

-- lateral join
SELECT p.id, t.total FROM people p, LATERAL (SELECT sum(s.amount) AS total FROM sales s WHERE s.person_id = p.id) t;
