-- A tour of Milepost over TPC-H.
--
-- Run it twice. The second run, in a new process, finds every checkpoint fresh and computes none of them again, but for
-- the one that the last step drops.
-- The data comes from: milepost datagen tpch --scale 0.1 --out tpch

CREATE EXTERNAL TABLE IF NOT EXISTS lineitem STORED AS PARQUET LOCATION 'tpch/lineitem/';
CREATE EXTERNAL TABLE IF NOT EXISTS orders STORED AS PARQUET LOCATION 'tpch/orders/';
CREATE EXTERNAL TABLE IF NOT EXISTS customer STORED AS PARQUET LOCATION 'tpch/customer/';
CREATE EXTERNAL TABLE IF NOT EXISTS nation STORED AS PARQUET LOCATION 'tpch/nation/';

-- 1. A checkpoint is a named, durable result. This one is what the later steps share.
CHECKPOINT revenue AS
SELECT
    n_name AS nation,
    date_trunc('month', o_orderdate) AS month,
    c_custkey AS customer,
    sum(l_extendedprice * (1 - l_discount)) AS revenue,
    count(*) AS lines
FROM lineitem
JOIN orders ON o_orderkey = l_orderkey
JOIN customer ON c_custkey = o_custkey
JOIN nation ON n_nationkey = c_nationkey
GROUP BY n_name, date_trunc('month', o_orderdate), c_custkey;

-- 2. Asked for again, it is reused: the query is the same and its files have not changed. Spelling does not matter.
CHECKPOINT revenue AS
select n_name as nation, date_trunc('month', o_orderdate) as month, c_custkey as customer,
       sum(l_extendedprice * (1 - l_discount)) as revenue, count(*) as lines
from lineitem
join orders on o_orderkey = l_orderkey
join customer on c_custkey = o_custkey
join nation on n_nationkey = c_nationkey
group by 1, 2, 3;

-- 3. Its name is a table, in this session and in every later one.
SELECT nation, sum(revenue) AS revenue
FROM revenue
GROUP BY nation
ORDER BY revenue DESC
LIMIT 5;

-- 4. A checkpoint of a checkpoint, with options for this one statement.
CHECKPOINT by_month WITH (compression = 'small', keep_versions = 3) AS
SELECT nation, month, sum(revenue) AS revenue
FROM revenue
GROUP BY nation, month
ORDER BY nation, month;

-- 5. What would happen, and why: this query has another filter, so it would be written.
EXPLAIN CHECKPOINT by_month AS
SELECT nation, month, sum(revenue) AS revenue
FROM revenue
WHERE month >= DATE '1995-01-01'
GROUP BY nation, month
ORDER BY nation, month;

-- ANALYZE does it and says what it took.
EXPLAIN ANALYZE CHECKPOINT by_month AS
SELECT nation, month, sum(revenue) AS revenue
FROM revenue
GROUP BY nation, month
ORDER BY nation, month;

-- 6. Inline, at any depth of a query: the aggregate is stored once and read twice.
SELECT a.nation, a.total AS more, b.nation AS than, b.total AS less
FROM checkpoint((SELECT nation, sum(revenue) AS total FROM by_month GROUP BY nation), 'by_nation') AS a
JOIN checkpoint((SELECT nation, sum(revenue) AS total FROM by_month GROUP BY nation), 'by_nation') AS b
    ON a.total > b.total * 1.1
ORDER BY a.total DESC, b.total
LIMIT 3;

-- 7. The same in standard words, without a name.
WITH large AS MATERIALIZED (
    SELECT o_orderkey, o_custkey, o_totalprice
    FROM orders
    WHERE o_totalprice > 400000
)
SELECT count(*) AS orders, count(DISTINCT o_custkey) AS customers, max(o_totalprice) AS dearest
FROM large;

-- 8. The stored definition, run again if its inputs changed. They did not.
REFRESH CHECKPOINT by_month;

-- 9. What there is.
SHOW CHECKPOINTS;
SHOW CHECKPOINTS LIKE 'by_%';
SHOW SNAPSHOTS OF by_month;
DESCRIBE CHECKPOINT by_month;

-- 10. An older version by its number.
SELECT count(*) AS months FROM snapshot('by_month', 1);

-- 11. All of it in plain SQL.
SELECT checkpoint, version, rows, bytes, elapsed_ms FROM milepost.checkpoints ORDER BY bytes DESC;
SELECT checkpoint, source, kind FROM milepost.lineage ORDER BY checkpoint, source;
SELECT f.checkpoint, count(*) AS files, sum(f.bytes) AS bytes FROM milepost.files f GROUP BY f.checkpoint ORDER BY 1;
SELECT checkpoint, version, determinism, reusable FROM milepost.snapshots ORDER BY checkpoint, version;

-- 12. A setting holds for the session: here stale checkpoints are refused, and this one is fresh.
SET milepost.on_stale = 'error';
SELECT count(*) AS months FROM by_month;
RESET milepost.on_stale;

-- 13. Written again although nothing changed; then one version dropped, and then all. Their numbers are never given again, so
-- in the second run there is no version 1.
CHECKPOINT passing AS SELECT count(*) AS customers FROM customer;
REFRESH CHECKPOINT passing FORCE;
DROP CHECKPOINT IF EXISTS passing VERSION 1;
DROP CHECKPOINT passing;
DROP CHECKPOINT IF EXISTS passing;

-- 14. Every byte is looked at, and what garbage collection would do is said.
VERIFY CHECKPOINT by_month;
VACUUM CHECKPOINTS DRY RUN;
