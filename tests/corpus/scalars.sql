-- case with and without else
SELECT id, CASE WHEN age > 40 THEN 'old' WHEN age > 25 THEN 'grown' END AS a, CASE city WHEN 'Rome' THEN 1 ELSE 0 END AS b
FROM people;

-- string functions
SELECT id, upper(name) AS u, length(city) AS l, substr(city, 2, 3) AS s, name || '/' || city AS c, lpad(name, 5, '*') AS p,
    replace(city, 'o', '0') AS r, split_part(city, 'n', 1) AS f, reverse(name) AS v, initcap(lower(city)) AS i
FROM people;

-- like, ilike and regular expressions
SELECT id, name LIKE '_d%' AS a, city ILIKE 'P%' AS b, name ~ '^[A-D]' AS c, regexp_replace(city, '[aeiou]', '.', 'g') AS d
FROM people;

-- unicode and empty strings
SELECT v.t, length(v.t) AS n, octet_length(v.t) AS b FROM (VALUES ('ünïcødé'), (''), ('日本'), (NULL)) AS v(t);

-- null logic
SELECT id, coalesce(city, 'nowhere') AS c, nullif(age, 41) AS n, age IS NULL AS x, (age > 40) IS NOT TRUE AS y, age BETWEEN 20 AND 40 AS z
FROM people;

-- decimals
SELECT id, amount, amount * quantity AS total, amount / 3 AS third, round(amount, 1) AS r, CAST(amount AS INT) AS i FROM sales;

-- integers of every width
SELECT arrow_cast(id, 'Int8') AS a, arrow_cast(id, 'UInt16') AS b, arrow_cast(id, 'UInt64') AS c, id % 3 AS m, id & 6 AS x FROM people;

-- floats
SELECT id, value, value * 2 AS t, isnan(value) AS n, abs(value) AS a FROM doubles;

-- dates
SELECT id, joined, joined + INTERVAL '1' MONTH AS later, extract(DOW FROM joined) AS d, date_part('year', joined) AS y FROM people;

-- timestamps to the nanosecond
SELECT id, sold_at, date_trunc('day', sold_at) AS day, sold_at + INTERVAL '90' MINUTE AS later, to_char(sold_at, '%H:%M') AS hm
FROM sales;

-- timestamps of every unit
SELECT id, arrow_cast(sold_at, 'Timestamp(Second, None)') AS s, arrow_cast(sold_at, 'Timestamp(Millisecond, None)') AS ms,
    arrow_cast(sold_at, 'Timestamp(Microsecond, None)') AS us
FROM sales;

-- timestamps with a time zone
SELECT id, arrow_cast(sold_at, 'Timestamp(Nanosecond, Some("Europe/Paris"))') AS paris FROM sales;

-- differences of timestamps
SELECT id, sold_at - TIMESTAMP '2024-01-01T00:00:00' AS since FROM sales WHERE sold_at IS NOT NULL;

-- times of day
SELECT id, CAST(sold_at AS TIME) AS t FROM sales;

-- booleans
SELECT id, age > 30 AND city <> 'Rome' AS a, age > 30 OR city <> 'Rome' AS o, NOT (age > 30) AS n FROM people;

-- binary
SELECT id, encode(arrow_cast(name, 'Binary'), 'hex') AS h, arrow_cast(name, 'Binary') AS b FROM people;

-- dictionaries
SELECT arrow_cast(city, 'Dictionary(Int32, Utf8)') AS city, count(*) AS n FROM people GROUP BY 1;

-- string views and large strings
SELECT arrow_cast(name, 'Utf8View') AS v, arrow_cast(name, 'LargeUtf8') AS l FROM people;

-- generate_series
SELECT * FROM generate_series(1, 20, 3);

-- generate_series joined
SELECT g.value, p.name FROM generate_series(1, 9) AS g LEFT JOIN people p ON p.id = g.value;

-- range as a list
SELECT range(0, 5) AS r, generate_series(1, 3) AS g;

-- a filter that keeps nothing
SELECT id, name FROM people WHERE age > 1000;

-- a filter that contradicts itself
SELECT id, name FROM people WHERE age > 10 AND age < 5;

-- expressions named like their text
SELECT id + 1, upper(name), 1 + 1 FROM people;

-- names that need quotes
SELECT id AS "Order No", name AS "select", city AS "a.b" FROM people;
