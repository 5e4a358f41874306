-- The job that `milepost demo` kills in the middle of its first CHECKPOINT, with SIGKILL, and starts again.
--
--     milepost run sql/jobs/demo.sql --var data=milepost-demo/tpch

-- Small units, so that there is something to kill in between: a row group of lineitem each. The default is 128 MiB of input.
SET milepost.unit_bytes = '256 KiB';

CREATE EXTERNAL TABLE lineitem STORED AS PARQUET LOCATION '${data}/lineitem/';
CREATE EXTERNAL TABLE orders STORED AS PARQUET LOCATION '${data}/orders/';

-- Every row comes from one slice of lineitem, so complete slices survive.
CHECKPOINT fingerprints AS
SELECT l_orderkey, l_linenumber, l_extendedprice * (1 - l_discount) AS revenue,
       sha512(repeat(l_comment, 20)) AS fingerprint
FROM lineitem;

-- A join and a grouping need all rows at once: they are resumed from the checkpoint above.
CHECKPOINT revenue_by_year AS
SELECT date_part('year', o_orderdate) AS year, count(*) AS lines, sum(revenue) AS revenue, max(fingerprint) AS last
FROM fingerprints JOIN orders ON l_orderkey = o_orderkey
GROUP BY 1;
