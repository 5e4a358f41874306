-- Six questions of TPC-H (3, 5, 7, 8, 9 and 10) that share one join: it is computed once and not six times.
--
--     milepost datagen tpch --scale 1 --out tpch
--     milepost bench sql/jobs/shared.sql --var data=tpch
--     milepost run sql/jobs/shared.sql --var data=tpch

CREATE EXTERNAL TABLE lineitem STORED AS PARQUET LOCATION '${data}/lineitem/';
CREATE EXTERNAL TABLE orders   STORED AS PARQUET LOCATION '${data}/orders/';
CREATE EXTERNAL TABLE customer STORED AS PARQUET LOCATION '${data}/customer/';
CREATE EXTERNAL TABLE supplier STORED AS PARQUET LOCATION '${data}/supplier/';
CREATE EXTERNAL TABLE part     STORED AS PARQUET LOCATION '${data}/part/';
CREATE EXTERNAL TABLE partsupp STORED AS PARQUET LOCATION '${data}/partsupp/';
CREATE EXTERNAL TABLE nation   STORED AS PARQUET LOCATION '${data}/nation/';
CREATE EXTERNAL TABLE region   STORED AS PARQUET LOCATION '${data}/region/';

-- What was sold: by whom, to whom, when, and for how much.
CHECKPOINT sold AS
SELECT
    l_orderkey AS orderkey, l_partkey AS partkey, l_suppkey AS suppkey, l_quantity AS quantity,
    l_extendedprice * (1 - l_discount) AS revenue, l_returnflag AS returnflag, l_shipdate AS shipdate,
    o_orderdate AS orderdate, o_shippriority AS shippriority, o_custkey AS custkey, c_mktsegment AS mktsegment,
    buyer.n_name AS buyer, buyer.n_regionkey AS buyer_region, seller.n_name AS seller, seller.n_regionkey AS seller_region
FROM lineitem
JOIN orders ON l_orderkey = o_orderkey
JOIN customer ON o_custkey = c_custkey
JOIN nation AS buyer ON c_nationkey = buyer.n_nationkey
JOIN supplier ON l_suppkey = s_suppkey
JOIN nation AS seller ON s_nationkey = seller.n_nationkey;

-- 3: the unshipped orders of the highest value.
SELECT orderkey, sum(revenue) AS revenue, orderdate, shippriority
FROM sold
WHERE mktsegment = 'BUILDING' AND orderdate < DATE '1995-03-15' AND shipdate > DATE '1995-03-15'
GROUP BY orderkey, orderdate, shippriority
ORDER BY revenue DESC, orderdate, orderkey
LIMIT 10;

-- 5: revenue within a nation.
SELECT seller, sum(revenue) AS revenue
FROM sold JOIN region ON seller_region = r_regionkey
WHERE seller = buyer AND r_name = 'ASIA' AND orderdate >= DATE '1994-01-01' AND orderdate < DATE '1995-01-01'
GROUP BY seller
ORDER BY revenue DESC;

-- 7: trade between two nations.
SELECT seller, buyer, extract(year FROM shipdate) AS year, sum(revenue) AS revenue
FROM sold
WHERE (seller = 'FRANCE' AND buyer = 'GERMANY' OR seller = 'GERMANY' AND buyer = 'FRANCE')
  AND shipdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31'
GROUP BY seller, buyer, extract(year FROM shipdate)
ORDER BY seller, buyer, year;

-- 8: a nation's share of a market.
SELECT extract(year FROM orderdate) AS year, sum(CASE WHEN seller = 'BRAZIL' THEN revenue ELSE 0 END) / sum(revenue) AS share
FROM sold
JOIN part ON partkey = p_partkey
JOIN region ON buyer_region = r_regionkey
WHERE r_name = 'AMERICA' AND p_type = 'ECONOMY ANODIZED STEEL'
  AND orderdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31'
GROUP BY extract(year FROM orderdate)
ORDER BY year;

-- 9: profit on a line of parts.
SELECT seller AS nation, extract(year FROM orderdate) AS year, sum(revenue - ps_supplycost * quantity) AS profit
FROM sold
JOIN part ON partkey = p_partkey
JOIN partsupp ON suppkey = ps_suppkey AND partkey = ps_partkey
WHERE p_name LIKE '%green%'
GROUP BY seller, extract(year FROM orderdate)
ORDER BY nation, year DESC;

-- 10: customers who returned parts.
SELECT custkey, buyer, sum(revenue) AS revenue
FROM sold
WHERE orderdate >= DATE '1993-10-01' AND orderdate < DATE '1994-01-01' AND returnflag = 'R'
GROUP BY custkey, buyer
ORDER BY revenue DESC, custkey
LIMIT 20;
