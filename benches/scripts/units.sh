#!/usr/bin/env bash
# What units cost: the same stage in units of 128 MiB, with a receipt each, and in as few as run side by side. Interleaved.
#
#   benches/scripts/units.sh MILEPOST TPCH_FOLDER [ROUNDS]
#
# MILEPOST is the built program, TPCH_FOLDER what `milepost datagen tpch --scale 10 --out TPCH_FOLDER` made. Prints the seconds
# of each run, as CHECKPOINT reports them, and the ratio of the medians; then, of one more run, what receipts and heartbeats take
# of the time of all units.
set -euo pipefail
milepost=$1 data=$2 rounds=${3:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() {
    rm -rf "$work/store"
    "$milepost" --store "$work/store" --quiet --format csv -c "SET milepost.unit_bytes = '$1';
        CREATE EXTERNAL TABLE lineitem STORED AS PARQUET LOCATION '$data/lineitem/';
        CHECKPOINT c AS SELECT l_orderkey, l_partkey, l_quantity, l_extendedprice, l_shipdate, l_comment
        FROM lineitem WHERE l_quantity > 10" | tail -1 | cut -d, -f7,9 | tr ',' ' '
}
for _ in $(seq "$rounds"); do
    read -r units ms < <(run '128 MiB'); echo "$ms" >>"$work/many"; echo -n "$units units: $ms ms, "
    read -r units ms < <(run '1024 GiB'); echo "$ms" >>"$work/few"; echo "$units units: $ms ms"
done
median() { sort -n "$1" | sed -n "$(((rounds + 1) / 2))p"; }
echo "ratio of the medians: $(echo "scale=3; $(median "$work/many") / $(median "$work/few")" | bc)"
rm -rf "$work/store"
"$milepost" --store "$work/store" --quiet --format csv -c "
    CREATE EXTERNAL TABLE lineitem STORED AS PARQUET LOCATION '$data/lineitem/';
    EXPLAIN ANALYZE CHECKPOINT c AS SELECT l_orderkey, l_partkey, l_quantity, l_extendedprice, l_shipdate, l_comment
    FROM lineitem WHERE l_quantity > 10" | grep '^time,'
