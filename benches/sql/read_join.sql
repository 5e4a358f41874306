SELECT c_mktsegment, o_orderdate, sum(l_extendedprice) AS price, count(*) AS lines
FROM result GROUP BY c_mktsegment, o_orderdate
