#!/usr/bin/env bash
# How long a dead driver's job waits for another one: on the same host, and on a host of another name.
#
#   benches/scripts/takeover.sh MILEPOST
#
# MILEPOST is the built program. A job is killed in its second step and started again. Prints the seconds from that start to the
# line that says that it goes on. Another host is one of another name: it needs the right to unshare the name (root, or user namespaces).
set -euo pipefail
milepost=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >job.sql <<'SQL'
CHECKPOINT a AS SELECT value AS n FROM generate_series(1, 1000000);
SELECT count(*) FROM generate_series(1, 200000) AS b(n) JOIN generate_series(1, 200000) AS c(n) ON b.n <> c.n;
SQL
goes_on() {
    local began
    began=$(date +%s%N)
    "$@" "$milepost" --store "$work/store" run job.sql 2>&1 >/dev/null | {
        while read -r line && [[ $line != *'goes on'* ]]; do :; done
        echo "$(($(date +%s%N) - began))" "$line"
        pkill -KILL -f "$work/store" || true
    }
}
for host in same other; do
    rm -rf store
    "$milepost" --store "$work/store" run job.sql >/dev/null 2>&1 &
    sleep 3
    kill -KILL $!
    wait $! 2>/dev/null || true
    unshare=(env)
    if [ "$host" = other ]; then
        unshare=(unshare --uts sh -c 'hostname another-host && exec "$@"' sh)
        [ "$(id -u)" = 0 ] || unshare=(unshare --user --map-root-user "${unshare[@]:1}")
    fi
    read -r nanoseconds line < <(goes_on "${unshare[@]}")
    echo "$host host: $(echo "scale=2; $nanoseconds / 1000000000" | bc) s ($line)"
done
