-- aggregates over everything
SELECT count(*), count(amount), sum(amount), avg(amount), min(amount), max(amount), sum(quantity) FROM sales;

-- group by one key with nulls
SELECT city, count(*) AS n, avg(age) AS age FROM people GROUP BY city;

-- group by an expression
SELECT date_trunc('month', sold_at) AS month, sum(quantity) AS pieces FROM sales GROUP BY 1;

-- having
SELECT product, sum(amount) AS total FROM sales GROUP BY product HAVING count(*) > 2;

-- distinct aggregates
SELECT count(DISTINCT product), sum(DISTINCT amount), count(DISTINCT person_id) FROM sales;

-- one distinct and one plain aggregate by group
SELECT product, count(DISTINCT person_id) AS buyers, count(*) AS n FROM sales GROUP BY product;

-- filtered aggregates
SELECT count(*) FILTER (WHERE quantity > 2) AS big, sum(amount) FILTER (WHERE product = 'pen') AS pens FROM sales;

-- grouping sets
SELECT city, age, count(*) AS n FROM people GROUP BY GROUPING SETS ((city), (age), ());

-- rollup with grouping
SELECT city, age, count(*) AS n, grouping(city) AS gc, grouping(age) AS ga FROM people GROUP BY ROLLUP (city, age);

-- cube
SELECT product, person_id, sum(quantity) AS q FROM sales GROUP BY CUBE (product, person_id);

-- aggregate over nothing gives one row
SELECT count(*), sum(id), max(name) FROM nothing;

-- group by over nothing gives none
SELECT name, count(*) FROM nothing GROUP BY name;

-- group without aggregate
SELECT city FROM people GROUP BY city;

-- array_agg in order
SELECT city, array_agg(name ORDER BY id) AS names FROM people GROUP BY city;

-- string_agg in order
SELECT string_agg(name, '+' ORDER BY name DESC) AS names FROM people;

-- first and last in order
SELECT city, first_value(name ORDER BY age, id) AS youngest, last_value(name ORDER BY age, id) AS oldest
FROM people GROUP BY city;

-- bit and boolean aggregates
SELECT bit_and(quantity), bit_or(quantity), bit_xor(quantity), bool_and(quantity > 0), bool_or(quantity > 9) FROM sales;

-- median and nth_value
SELECT median(age), nth_value(name, 2 ORDER BY id) FROM people;

-- statistics of floats (approx)
SELECT stddev(height), var_pop(height), corr(height, age), covar_samp(height, age), regr_slope(height, age) FROM people;

-- approx_distinct
SELECT approx_distinct(product), approx_distinct(amount) FROM sales;

-- min and max of not-a-number, infinities and both zeros
SELECT min(value), max(value), count(value) FROM doubles;

-- group by not-a-number and both zeros
SELECT value, count(*) AS n FROM doubles GROUP BY value;

-- aggregate of an aggregate
SELECT max(n) FROM (SELECT city, count(*) AS n FROM people GROUP BY city);
