-- lists, structs and maps as they are
SELECT id, tags, point, props FROM nested;

-- struct fields
SELECT id, point['x'] AS x, point['y']['z'] AS z FROM nested;

-- list elements and functions
SELECT id, tags[1] AS first, array_length(tags) AS n, array_has(tags, 'b') AS b, array_distinct(tags) AS d FROM nested;

-- map values and keys
SELECT id, props['k'] AS k, map_keys(props) AS ks, map_values(props) AS vs FROM nested;

-- unnest a list
SELECT id, unnest(tags) AS tag FROM nested;

-- unnest a struct
SELECT id, unnest(point) FROM nested;

-- unnest in from
SELECT t.u FROM unnest([3, 1, 2]) AS t(u);

-- group by a struct
SELECT point['y'] AS y, count(*) AS n FROM nested GROUP BY point['y'];

-- group by a list
SELECT tags, count(*) AS n FROM nested GROUP BY tags;

-- make nested values
SELECT id, [id, id + 1] AS pair, named_struct('a', name, 'b', [age]) AS s FROM people;

-- aggregate into structs
SELECT city, array_agg(named_struct('id', id, 'age', age) ORDER BY id) AS all FROM people GROUP BY city;

-- unnest what was aggregated
SELECT city, unnest(names) AS name FROM (SELECT city, array_agg(name ORDER BY id) AS names FROM people GROUP BY city);

-- a list of lists
SELECT make_array(make_array(1, 2), make_array(3), NULL) AS deep;
