SELECT l_returnflag, l_linestatus, sum(l_extendedprice) AS price, count(*) AS lines
FROM result GROUP BY l_returnflag, l_linestatus
