SELECT o_orderdate, sum(revenue) AS revenue, max(quantity) AS most FROM result GROUP BY o_orderdate
