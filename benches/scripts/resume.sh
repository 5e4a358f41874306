#!/usr/bin/env bash
# How much of a killed stage is not done again: lineitem filtered and projected, killed with SIGKILL at half of its time.
#
#   benches/scripts/resume.sh MILEPOST TPCH_FOLDER [ROUNDS]
#
# MILEPOST is the built program, TPCH_FOLDER what `milepost datagen tpch --scale 10 --out TPCH_FOLDER` made. Prints, for each
# round, the seconds of a full run, of the run after the kill, and their ratio.
set -euo pipefail
milepost=$1 data=$2 rounds=${3:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sql="CREATE EXTERNAL TABLE lineitem STORED AS PARQUET LOCATION '$data/lineitem/';
     CHECKPOINT half AS SELECT l_orderkey, l_partkey, l_quantity, l_extendedprice, l_shipdate, l_comment
     FROM lineitem WHERE l_quantity > 10"

run() { "$milepost" --store "$1" --quiet --format csv -c "$sql" | tail -1; }
seconds() { local begun; begun=$(date +%s.%N); "${@:2}" >"$work/out"; eval "$1=$(echo "$(date +%s.%N) - $begun" | bc)"; }

echo "round  full s  after kill s  ratio  outcome, units, reused"
for round in $(seq "$rounds"); do
    rm -rf "$work/full" "$work/killed"
    seconds full run "$work/full"
    "$milepost" --store "$work/killed" --quiet -c "$sql" >/dev/null &
    victim=$!
    sleep "$(echo "$full / 2" | bc -l)"
    kill -9 "$victim"
    wait "$victim" 2>/dev/null || true
    seconds rest run "$work/killed"
    echo "$round  $full  $rest  $(echo "scale=2; $rest / $full" | bc)  $(cut -d, -f3,7,8 "$work/out")"
done
