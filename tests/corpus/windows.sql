-- row_number over the whole table
SELECT id, row_number() OVER (ORDER BY id) AS n FROM people;

-- rank, dense_rank and percent_rank by group
SELECT id, rank() OVER w AS r, dense_rank() OVER w AS d, percent_rank() OVER w AS p
FROM people
WINDOW w AS (PARTITION BY city ORDER BY age);

-- running sum
SELECT id, sum(amount) OVER (PARTITION BY person_id ORDER BY id) AS running FROM sales;

-- moving frame by rows
SELECT id, sum(quantity) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS near FROM sales;

-- moving frame by range of an interval
SELECT id, count(*) OVER (ORDER BY sold_at RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND CURRENT ROW) AS day FROM sales;

-- lag and lead with defaults
SELECT id, lag(km, 1, 0) OVER (ORDER BY id) AS before, lead(km, 1, -1) OVER (ORDER BY id) AS after
FROM (SELECT row_number() OVER (ORDER BY src, dst) AS id, km FROM roads);

-- first, last and nth value of a window
SELECT id, first_value(name) OVER w AS f, last_value(name) OVER w AS l, nth_value(name, 2) OVER w AS n
FROM people
WINDOW w AS (PARTITION BY city ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING);

-- ntile and cume_dist
SELECT id, ntile(3) OVER (ORDER BY id) AS third, cume_dist() OVER (ORDER BY id) AS share FROM people;

-- filter on a window
SELECT id, city FROM (SELECT id, city, row_number() OVER (PARTITION BY city ORDER BY id) AS n FROM people) WHERE n = 1;

-- qualify
SELECT id, city FROM people QUALIFY row_number() OVER (PARTITION BY city ORDER BY id DESC) = 1;

-- window over an aggregate
SELECT city, count(*) AS n, sum(count(*)) OVER (ORDER BY city NULLS FIRST) AS upto FROM people GROUP BY city;

-- two windows of different orders
SELECT id, row_number() OVER (ORDER BY id) AS a, row_number() OVER (ORDER BY id DESC) AS b FROM sales;
