-- Ten columns of three tables.
SELECT l_orderkey, l_linenumber, l_suppkey, l_quantity, l_extendedprice, l_discount, l_shipdate,
       o_orderdate, o_totalprice, c_mktsegment
FROM lineitem
JOIN orders ON l_orderkey = o_orderkey
JOIN customer ON o_custkey = c_custkey
WHERE o_orderdate >= DATE '1994-01-01'
