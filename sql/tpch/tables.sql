-- The eight tables of TPC-H, for the queries beside this file.
--
--     milepost datagen tpch --scale 0.1 --out tpch
--     milepost -f sql/tpch/tables.sql sql/tpch/q05.sql      one query
--     milepost -f sql/tpch/tables.sql sql/tpch/q*.sql       all 22
--
-- All files of one -f share a session. The locations begin in the folder in which the program is started; --data-path names
-- another one. `milepost demo` makes the same tables in milepost-demo/tpch.

CREATE EXTERNAL TABLE lineitem STORED AS PARQUET LOCATION 'tpch/lineitem/';
CREATE EXTERNAL TABLE orders   STORED AS PARQUET LOCATION 'tpch/orders/';
CREATE EXTERNAL TABLE customer STORED AS PARQUET LOCATION 'tpch/customer/';
CREATE EXTERNAL TABLE supplier STORED AS PARQUET LOCATION 'tpch/supplier/';
CREATE EXTERNAL TABLE part     STORED AS PARQUET LOCATION 'tpch/part/';
CREATE EXTERNAL TABLE partsupp STORED AS PARQUET LOCATION 'tpch/partsupp/';
CREATE EXTERNAL TABLE nation   STORED AS PARQUET LOCATION 'tpch/nation/';
CREATE EXTERNAL TABLE region   STORED AS PARQUET LOCATION 'tpch/region/';
