-- The 22 questions of TPC-H, where those that have a part in common read it from a checkpoint: fourteen share four parts.
--
--     milepost datagen tpch --scale 1 --out tpch
--     milepost bench sql/jobs/tpch.sql --var data=tpch
--
-- sql/tpch/ has them as they are asked otherwise.

CREATE EXTERNAL TABLE lineitem STORED AS PARQUET LOCATION '${data}/lineitem/';
CREATE EXTERNAL TABLE orders   STORED AS PARQUET LOCATION '${data}/orders/';
CREATE EXTERNAL TABLE customer STORED AS PARQUET LOCATION '${data}/customer/';
CREATE EXTERNAL TABLE supplier STORED AS PARQUET LOCATION '${data}/supplier/';
CREATE EXTERNAL TABLE part     STORED AS PARQUET LOCATION '${data}/part/';
CREATE EXTERNAL TABLE partsupp STORED AS PARQUET LOCATION '${data}/partsupp/';
CREATE EXTERNAL TABLE nation   STORED AS PARQUET LOCATION '${data}/nation/';
CREATE EXTERNAL TABLE region   STORED AS PARQUET LOCATION '${data}/region/';

-- Questions 3, 5, 7, 8, 9, 10 and 18: what was sold, by whom, to whom, and when.
CHECKPOINT sold AS
SELECT
    l_orderkey, l_partkey, l_suppkey, l_quantity, l_extendedprice, l_discount, l_returnflag, l_shipdate,
    o_orderkey, o_custkey, o_orderdate, o_totalprice, o_shippriority, c_mktsegment,
    buyer.n_name AS buyer, buyer.n_regionkey AS buyer_region, seller.n_name AS seller, seller.n_regionkey AS seller_region
FROM lineitem
JOIN orders ON o_orderkey = l_orderkey
JOIN customer ON c_custkey = o_custkey
JOIN nation AS buyer ON buyer.n_nationkey = c_nationkey
JOIN supplier ON s_suppkey = l_suppkey
JOIN nation AS seller ON seller.n_nationkey = s_nationkey;

-- Questions 4, 12 and 21, which asks twice: what came late.
CHECKPOINT late AS
SELECT l_orderkey, l_suppkey, l_shipdate, l_commitdate, l_receiptdate, l_shipmode, o_orderstatus, o_orderpriority
FROM lineitem
JOIN orders ON o_orderkey = l_orderkey
WHERE l_commitdate < l_receiptdate;

-- Questions 2 and 11, which ask twice, and 20: who offers what.
CHECKPOINT offered AS
SELECT
    ps_partkey, ps_suppkey, ps_availqty, ps_supplycost, s_acctbal, s_name, s_address, s_phone, s_comment, n_name, r_name
FROM partsupp
JOIN supplier ON s_suppkey = ps_suppkey
JOIN nation ON n_nationkey = s_nationkey
JOIN region ON r_regionkey = n_regionkey;

-- Question 15 asks twice.
CHECKPOINT revenue AS
SELECT
    l_suppkey AS supplier_no,
    sum(l_extendedprice * (1 - l_discount)) AS total_revenue
FROM lineitem
WHERE l_shipdate >= DATE '1996-01-01'
  AND l_shipdate < DATE '1996-01-01' + INTERVAL '3' MONTH
GROUP BY l_suppkey;

-- 1. How much was billed, shipped and returned, by return flag and line status, up to 90 days before the end of 1998-12-01?
SELECT
    l_returnflag,
    l_linestatus,
    sum(l_quantity) AS sum_qty,
    sum(l_extendedprice) AS sum_base_price,
    sum(l_extendedprice * (1 - l_discount)) AS sum_disc_price,
    sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS sum_charge,
    avg(l_quantity) AS avg_qty,
    avg(l_extendedprice) AS avg_price,
    avg(l_discount) AS avg_disc,
    count(*) AS count_order
FROM lineitem
WHERE l_shipdate <= DATE '1998-12-01' - INTERVAL '90' DAY
GROUP BY l_returnflag, l_linestatus
ORDER BY l_returnflag, l_linestatus;

-- 2. Which European supplier sells each brass part of size 15 at the lowest price in its region?
SELECT
    s_acctbal,
    s_name,
    n_name,
    p_partkey,
    p_mfgr,
    s_address,
    s_phone,
    s_comment
FROM part
JOIN offered ON ps_partkey = p_partkey
WHERE p_size = 15
  AND p_type LIKE '%BRASS'
  AND r_name = 'EUROPE'
  AND ps_supplycost = (
      SELECT min(ps_supplycost)
      FROM offered
      WHERE ps_partkey = p_partkey
        AND r_name = 'EUROPE'
  )
ORDER BY s_acctbal DESC, n_name, s_name, p_partkey
LIMIT 100;

-- 3. Which ten orders of the building segment, not shipped by 1995-03-15, are worth most?
SELECT
    l_orderkey,
    sum(l_extendedprice * (1 - l_discount)) AS revenue,
    o_orderdate,
    o_shippriority
FROM sold
WHERE c_mktsegment = 'BUILDING'
  AND o_orderdate < DATE '1995-03-15'
  AND l_shipdate > DATE '1995-03-15'
GROUP BY l_orderkey, o_orderdate, o_shippriority
ORDER BY revenue DESC, o_orderdate
LIMIT 10;

-- 4. How many orders of the third quarter of 1993 had a line that came late, by priority?
SELECT
    o_orderpriority,
    count(*) AS order_count
FROM orders
WHERE o_orderdate >= DATE '1993-07-01'
  AND o_orderdate < DATE '1993-07-01' + INTERVAL '3' MONTH
  AND EXISTS (
      SELECT *
      FROM late
      WHERE l_orderkey = o_orderkey
  )
GROUP BY o_orderpriority
ORDER BY o_orderpriority;

-- 5. What did each Asian nation earn in 1994 from suppliers and customers of the same nation?
SELECT
    seller AS n_name,
    sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM sold
JOIN region ON r_regionkey = seller_region
WHERE seller = buyer
  AND r_name = 'ASIA'
  AND o_orderdate >= DATE '1994-01-01'
  AND o_orderdate < DATE '1994-01-01' + INTERVAL '1' YEAR
GROUP BY seller
ORDER BY revenue DESC;

-- 6. How much more would 1994 have earned without discounts of five to seven per cent on small quantities?
SELECT sum(l_extendedprice * l_discount) AS revenue
FROM lineitem
WHERE l_shipdate >= DATE '1994-01-01'
  AND l_shipdate < DATE '1994-01-01' + INTERVAL '1' YEAR
  AND l_discount BETWEEN 0.06 - 0.01 AND 0.06 + 0.01
  AND l_quantity < 24;

-- 7. What was the value of goods shipped between France and Germany in 1995 and 1996, each way and year?
SELECT
    supp_nation,
    cust_nation,
    l_year,
    sum(volume) AS revenue
FROM (
    SELECT
        seller AS supp_nation,
        buyer AS cust_nation,
        extract(YEAR FROM l_shipdate) AS l_year,
        l_extendedprice * (1 - l_discount) AS volume
    FROM sold
    WHERE (
            (seller = 'FRANCE' AND buyer = 'GERMANY')
         OR (seller = 'GERMANY' AND buyer = 'FRANCE')
        )
      AND l_shipdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31'
) AS shipping
GROUP BY supp_nation, cust_nation, l_year
ORDER BY supp_nation, cust_nation, l_year;

-- 8. What share of the American market for economy anodized steel did Brazil hold in 1995 and 1996?
SELECT
    o_year,
    sum(CASE WHEN nation = 'BRAZIL' THEN volume ELSE 0 END) / sum(volume) AS mkt_share
FROM (
    SELECT
        extract(YEAR FROM o_orderdate) AS o_year,
        l_extendedprice * (1 - l_discount) AS volume,
        seller AS nation
    FROM part
    JOIN sold ON l_partkey = p_partkey
    JOIN region ON r_regionkey = buyer_region
    WHERE r_name = 'AMERICA'
      AND o_orderdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31'
      AND p_type = 'ECONOMY ANODIZED STEEL'
) AS all_nations
GROUP BY o_year
ORDER BY o_year;

-- 9. What profit did each nation make each year on parts with "green" in the name?
SELECT
    nation,
    o_year,
    sum(amount) AS sum_profit
FROM (
    SELECT
        seller AS nation,
        extract(YEAR FROM o_orderdate) AS o_year,
        l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity AS amount
    FROM part
    JOIN sold ON l_partkey = p_partkey
    JOIN partsupp ON ps_partkey = l_partkey AND ps_suppkey = l_suppkey
    WHERE p_name LIKE '%green%'
) AS profit
GROUP BY nation, o_year
ORDER BY nation, o_year DESC;

-- 10. Which twenty customers cost most by sending goods of the last quarter of 1993 back?
SELECT
    c_custkey,
    c_name,
    sum(l_extendedprice * (1 - l_discount)) AS revenue,
    c_acctbal,
    n_name,
    c_address,
    c_phone,
    c_comment
FROM sold
JOIN customer ON c_custkey = o_custkey
JOIN nation ON n_nationkey = c_nationkey
WHERE o_orderdate >= DATE '1993-10-01'
  AND o_orderdate < DATE '1993-10-01' + INTERVAL '3' MONTH
  AND l_returnflag = 'R'
GROUP BY c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment
ORDER BY revenue DESC
LIMIT 20;

-- 11. Which parts make up more than one ten-thousandth of the value of the German stock?
SELECT
    ps_partkey,
    sum(ps_supplycost * ps_availqty) AS value
FROM offered
WHERE n_name = 'GERMANY'
GROUP BY ps_partkey
HAVING sum(ps_supplycost * ps_availqty) > (
    SELECT sum(ps_supplycost * ps_availqty) * 0.0001
    FROM offered
    WHERE n_name = 'GERMANY'
)
ORDER BY value DESC;

-- 12. Does late arrival by mail or ship in 1994 hit urgent orders as often as the others?
SELECT
    l_shipmode,
    sum(CASE WHEN o_orderpriority IN ('1-URGENT', '2-HIGH') THEN 1 ELSE 0 END) AS high_line_count,
    sum(CASE WHEN o_orderpriority NOT IN ('1-URGENT', '2-HIGH') THEN 1 ELSE 0 END) AS low_line_count
FROM late
WHERE l_shipmode IN ('MAIL', 'SHIP')
  AND l_shipdate < l_commitdate
  AND l_receiptdate >= DATE '1994-01-01'
  AND l_receiptdate < DATE '1994-01-01' + INTERVAL '1' YEAR
GROUP BY l_shipmode
ORDER BY l_shipmode;

-- 13. How many customers placed how many orders, special requests not counted?
SELECT
    c_count,
    count(*) AS custdist
FROM (
    SELECT
        c_custkey,
        count(o_orderkey) AS c_count
    FROM customer
    LEFT JOIN orders ON o_custkey = c_custkey AND o_comment NOT LIKE '%special%requests%'
    GROUP BY c_custkey
) AS c_orders
GROUP BY c_count
ORDER BY custdist DESC, c_count DESC;

-- 14. What percentage of the revenue of September 1995 came from promoted parts?
SELECT
    100.00 * sum(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (1 - l_discount) ELSE 0 END)
        / sum(l_extendedprice * (1 - l_discount)) AS promo_revenue
FROM lineitem
JOIN part ON p_partkey = l_partkey
WHERE l_shipdate >= DATE '1995-09-01'
  AND l_shipdate < DATE '1995-09-01' + INTERVAL '1' MONTH;

-- 15. Which supplier earned most in the first quarter of 1996?
SELECT
    s_suppkey,
    s_name,
    s_address,
    s_phone,
    total_revenue
FROM supplier
JOIN revenue ON supplier_no = s_suppkey
WHERE total_revenue = (SELECT max(total_revenue) FROM revenue)
ORDER BY s_suppkey;

-- 16. How many suppliers without complaints can deliver each kind of part that one customer wants?
SELECT
    p_brand,
    p_type,
    p_size,
    count(DISTINCT ps_suppkey) AS supplier_cnt
FROM partsupp
JOIN part ON p_partkey = ps_partkey
WHERE p_brand <> 'Brand#45'
  AND p_type NOT LIKE 'MEDIUM POLISHED%'
  AND p_size IN (49, 14, 23, 45, 19, 3, 36, 9)
  AND ps_suppkey NOT IN (
      SELECT s_suppkey
      FROM supplier
      WHERE s_comment LIKE '%Customer%Complaints%'
  )
GROUP BY p_brand, p_type, p_size
ORDER BY supplier_cnt DESC, p_brand, p_type, p_size;

-- 17. What would a year lose if small orders of one brand in medium boxes were no longer taken?
SELECT sum(l_extendedprice) / 7.0 AS avg_yearly
FROM lineitem
JOIN part ON p_partkey = l_partkey
WHERE p_brand = 'Brand#23'
  AND p_container = 'MED BOX'
  AND l_quantity < (
      SELECT 0.2 * avg(l_quantity)
      FROM lineitem
      WHERE l_partkey = p_partkey
  );

-- 18. Which customers placed orders of more than 300 pieces?
SELECT
    c_name,
    c_custkey,
    o_orderkey,
    o_orderdate,
    o_totalprice,
    sum(l_quantity) AS sum_qty
FROM sold
JOIN customer ON c_custkey = o_custkey
WHERE o_orderkey IN (
    SELECT l_orderkey
    FROM lineitem
    GROUP BY l_orderkey
    HAVING sum(l_quantity) > 300
)
GROUP BY c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
ORDER BY o_totalprice DESC, o_orderdate
LIMIT 100;

-- 19. What did parts of three brands earn, by air and delivered in person, in the quantities sold by hand?
SELECT sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM lineitem
JOIN part ON p_partkey = l_partkey
WHERE l_shipmode IN ('AIR', 'AIR REG')
  AND l_shipinstruct = 'DELIVER IN PERSON'
  AND (
        (
            p_brand = 'Brand#12'
        AND p_container IN ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG')
        AND l_quantity BETWEEN 1 AND 1 + 10
        AND p_size BETWEEN 1 AND 5
        )
     OR (
            p_brand = 'Brand#23'
        AND p_container IN ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK')
        AND l_quantity BETWEEN 10 AND 10 + 10
        AND p_size BETWEEN 1 AND 10
        )
     OR (
            p_brand = 'Brand#34'
        AND p_container IN ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG')
        AND l_quantity BETWEEN 20 AND 20 + 10
        AND p_size BETWEEN 1 AND 15
        )
      );

-- 20. Which Canadian suppliers hold more than half a year's sales of forest parts in stock?
SELECT
    s_name,
    s_address
FROM supplier
JOIN nation ON n_nationkey = s_nationkey
WHERE n_name = 'CANADA'
  AND s_suppkey IN (
      SELECT ps_suppkey
      FROM offered
      WHERE ps_partkey IN (
              SELECT p_partkey
              FROM part
              WHERE p_name LIKE 'forest%'
          )
        AND ps_availqty > (
              SELECT 0.5 * sum(l_quantity)
              FROM lineitem
              WHERE l_partkey = ps_partkey
                AND l_suppkey = ps_suppkey
                AND l_shipdate >= DATE '1994-01-01'
                AND l_shipdate < DATE '1994-01-01' + INTERVAL '1' YEAR
          )
  )
ORDER BY s_name;

-- 21. Which Saudi suppliers were alone to blame that an order of several suppliers came late?
SELECT
    s_name,
    count(*) AS numwait
FROM supplier
JOIN late l1 ON l1.l_suppkey = s_suppkey
JOIN nation ON n_nationkey = s_nationkey
WHERE o_orderstatus = 'F'
  AND n_name = 'SAUDI ARABIA'
  AND EXISTS (
      SELECT *
      FROM lineitem l2
      WHERE l2.l_orderkey = l1.l_orderkey
        AND l2.l_suppkey <> l1.l_suppkey
  )
  AND NOT EXISTS (
      SELECT *
      FROM late l3
      WHERE l3.l_orderkey = l1.l_orderkey
        AND l3.l_suppkey <> l1.l_suppkey
  )
GROUP BY s_name
ORDER BY numwait DESC, s_name
LIMIT 100;

-- 22. Where do customers live who have more than average in their account and never ordered?
SELECT
    cntrycode,
    count(*) AS numcust,
    sum(c_acctbal) AS totacctbal
FROM (
    SELECT
        substr(c_phone, 1, 2) AS cntrycode,
        c_acctbal
    FROM customer
    WHERE substr(c_phone, 1, 2) IN ('13', '31', '23', '29', '30', '18', '17')
      AND c_acctbal > (
          SELECT avg(c_acctbal)
          FROM customer
          WHERE c_acctbal > 0.00
            AND substr(c_phone, 1, 2) IN ('13', '31', '23', '29', '30', '18', '17')
      )
      AND NOT EXISTS (
          SELECT *
          FROM orders
          WHERE o_custkey = c_custkey
      )
) AS custsale
GROUP BY cntrycode
ORDER BY cntrycode;
