-- The tables that the corpus reads: small, with nulls, repeated values and keys without a partner.
CREATE TABLE people AS
SELECT
    arrow_cast(column1, 'Int32') AS id,
    column2 AS name,
    column3 AS city,
    column4 AS age,
    column5 AS height,
    arrow_cast(column6, 'Date32') AS joined
FROM (
    VALUES
        (1, 'Ada', 'London', 36, 1.625, '2020-01-15'),
        (2, 'Bo', 'Paris', 41, 1.75, '2020-02-29'),
        (3, 'Cy', 'London', 29, 1.875, '2021-07-01'),
        (4, 'Di', NULL, 52, NULL, '2021-12-31'),
        (5, 'Ed', 'Rome', NULL, 1.5, '2022-03-10'),
        (6, 'Flo', 'Paris', 41, 1.6875, NULL),
        (7, NULL, 'Oslo', 18, 1.8125, '2023-05-05'),
        (8, 'Gus', 'Rome', 64, 1.75, '2019-11-11')
);

CREATE TABLE sales AS
SELECT
    arrow_cast(column1, 'Int64') AS id,
    arrow_cast(column2, 'Int32') AS person_id,
    column3 AS product,
    arrow_cast(column4, 'Decimal128(10, 2)') AS amount,
    column5 AS quantity,
    arrow_cast(column6, 'Timestamp(Nanosecond, None)') AS sold_at
FROM (
    VALUES
        (100, 1, 'pen', 2.50, 4, '2024-01-01T09:00:00'),
        (101, 1, 'ink', 12.00, 1, '2024-01-01T09:00:00.000000001'),
        (102, 2, 'pen', 2.50, 10, '2024-01-02T10:30:00'),
        (103, 3, 'pad', 7.25, 2, '2024-01-03T23:59:59'),
        (104, 3, 'pen', 2.75, 3, '2024-02-01T00:00:00'),
        (105, 4, NULL, 99.99, 1, '2024-02-02T12:00:00'),
        (106, 9, 'pad', 7.25, 5, '2024-02-03T08:15:00'),
        (107, NULL, 'ink', NULL, 2, '2024-02-03T08:15:00'),
        (108, 6, 'ink', 11.50, 2, NULL),
        (109, 8, 'pad', -7.25, 5, '2024-03-01T07:00:00'),
        (110, 8, 'pen', 2.50, NULL, '2024-03-01T07:00:00')
);

CREATE TABLE roads AS
SELECT
    column1 AS src,
    column2 AS dst,
    column3 AS km
FROM (
    VALUES
        ('London', 'Paris', 460),
        ('Paris', 'Rome', 1420),
        ('Rome', 'Oslo', 2560),
        ('Paris', 'Oslo', 1710),
        ('Lima', 'Quito', 1850)
);

CREATE TABLE nested AS
SELECT
    column1 AS id,
    column2 AS tags,
    CASE WHEN column1 = 3 THEN NULL ELSE named_struct('x', column3, 'y', named_struct('z', column4)) END AS point,
    CASE WHEN column1 = 2 THEN NULL ELSE map(['k', 'n'], [column1, column3]) END AS props
FROM (
    VALUES
        (1, ['a', 'b', 'a'], 10, 'u'),
        (2, ['c'], 20, NULL),
        (3, NULL, 30, 'w'),
        (4, ['b', NULL], NULL, 'u')
);

CREATE TABLE nothing AS
SELECT
    id,
    name
FROM people
WHERE false;

CREATE TABLE doubles AS
SELECT
    column1 AS id,
    column2 AS value
FROM (
    VALUES
        (1, arrow_cast('NaN', 'Float64')),
        (2, arrow_cast('-0.0', 'Float64')),
        (3, arrow_cast('0.0', 'Float64')),
        (4, arrow_cast('inf', 'Float64')),
        (5, arrow_cast('-inf', 'Float64')),
        (6, NULL),
        (7, 0.5)
);

CREATE VIEW big_sales AS
SELECT
    id,
    person_id,
    amount * quantity AS total
FROM sales
WHERE quantity >= 2;
