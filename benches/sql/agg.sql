-- That join, grouped into many small groups.
SELECT c_mktsegment, o_orderdate, l_suppkey,
       sum(l_extendedprice * (1 - l_discount)) AS revenue, sum(l_quantity) AS quantity, count(*) AS lines
FROM lineitem
JOIN orders ON l_orderkey = o_orderkey
JOIN customer ON o_custkey = c_custkey
WHERE o_orderdate >= DATE '1994-01-01'
GROUP BY c_mktsegment, o_orderdate, l_suppkey
