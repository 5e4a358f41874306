-- A job over TPC-H: what each nation earned in one year, month by month, and what changed.
--
--     milepost datagen tpch --scale 0.1 --out tpch
--     milepost run sql/jobs/revenue.sql --var year=1995
--     milepost jobs revenue
--
-- Stop it wherever you like, also with kill -9, and run the same command again. What is finished is skipped, what was being
-- written goes on from its complete units, and what the session needs is set up anew.

-- Session state: every process that takes the job up does this again.
CREATE EXTERNAL TABLE lineitem STORED AS PARQUET LOCATION 'tpch/lineitem/';
CREATE EXTERNAL TABLE orders   STORED AS PARQUET LOCATION 'tpch/orders/';
CREATE EXTERNAL TABLE customer STORED AS PARQUET LOCATION 'tpch/customer/';
CREATE EXTERNAL TABLE nation   STORED AS PARQUET LOCATION 'tpch/nation/';

-- The long part. A checkpoint is written exactly once in a run; the next run reuses it while its files are what they were.
CHECKPOINT lines_of_year AS
SELECT o_custkey, date_trunc('month', o_orderdate) AS month, l_extendedprice * (1 - l_discount) AS price
FROM lineitem
JOIN orders ON o_orderkey = l_orderkey
WHERE extract(year FROM o_orderdate) = ${year};

CHECKPOINT revenue AS
SELECT n_name AS nation, month, sum(price) AS revenue, count(*) AS lines
FROM lines_of_year
JOIN customer ON c_custkey = o_custkey
JOIN nation ON n_nationkey = c_nationkey
GROUP BY n_name, month;

-- now() stands still within a run: whichever process runs this step, it is the time at which the run began.
CHECKPOINT made AS SELECT now() AS at, count(*) AS rows FROM revenue;

-- A file outside of the store is written at least once: if the process dies in the middle, it is written again.
COPY (SELECT * FROM revenue ORDER BY nation, month) TO 'revenue.csv' OPTIONS ('format.has_header' 'true');

-- A query prints its rows once. A process that comes after it does not print them again.
SELECT nation, month, revenue, revenue - lag(revenue) OVER (PARTITION BY nation ORDER BY month) AS change
FROM revenue
ORDER BY change
LIMIT 5;
