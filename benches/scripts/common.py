"""What the scripts share: on what they measure."""

import os
import platform
import random
import re
import statistics
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def versions(*packages):
    """The versions of Milepost, of DataFusion, of these Python packages as far as they are installed, and the machine."""
    found = {"milepost": revision(), "datafusion": locked("datafusion"), "rust": printed("rustc", "--version")}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    found["python"] = platform.python_version()
    found["system"] = f"{platform.system()} {platform.release()} {platform.machine()}"
    found["processor"] = processor()
    found["cores"] = os.cpu_count()
    found["memory"] = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    return found


def show(found):
    print(", ".join(f"{name} {version}" for name, version in found.items() if version))


def environment(threads, ours=True):
    """What a program is started with; `ours` lay their memory out as `milepost` does for itself (crates/cli/src/memory.rs)."""
    layout = {"MALLOC_ARENA_MAX": str(os.cpu_count()), "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
              "MALLOC_TRIM_THRESHOLD_": str(64 << 20)}
    return {**(layout if ours else {}), **os.environ, "TOKIO_WORKER_THREADS": str(threads),
            "POLARS_MAX_THREADS": str(threads)}


def revision():
    commit = printed("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    changed = printed("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no")
    return f"{commit} with changes" if commit and changed else commit


def locked(package):
    packages = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    return next((found["version"] for found in packages if found["name"] == package), None)


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), None)


def printed(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() or None


# Queries that the built program runs and times itself.

def milepost(given, store, sql, *options):
    """What the program prints for statements in a process of its own."""
    sql = f"SET datafusion.execution.target_partitions = {given.threads};{sql}"
    done = subprocess.run([given.program, "--store", str(store), *options, "-c", sql], capture_output=True, text=True,
                          env=environment(given.threads))
    if done.returncode != 0:
        raise SystemExit(f"{sql}\n{done.stderr}")
    return done.stdout + done.stderr


def tables(folder, names):
    """The statements that name the tables of a folder."""
    return "".join(f"CREATE EXTERNAL TABLE {name} STORED AS PARQUET LOCATION '{folder}/{name}/';" for name in names)


def fastest_of_three(given, store, setup, query):
    """The milliseconds that the program reports for the fastest of three runs of a query of one row, and that row."""
    out = milepost(given, store, setup + f"{query};" * 3)
    found = re.findall(r"rows? in ([0-9.]+) (ms|s)\b", out)[-3:]
    times = [float(number) * (1000 if unit == "s" else 1) for number, unit in found]
    rows = re.findall(r"^\|.*$", out, re.M)
    if len(times) < 3 or not rows:
        raise SystemExit(f"no times in {out}")
    return min(times), re.sub(" +", " ", rows[-1])


def compare(given, questions, ways, measure):
    """Asks each question in each way, in another order each round; prints medians, and their ratios to the first way."""
    found = {(question, way): [] for question in questions for way in ways}
    for _ in range(given.rounds):
        for question, way in random.sample(list(found), len(found)):
            found[question, way].append(measure(question, way))
    first = next(iter(ways))
    for question in questions:
        rows = {row for way in ways for _, row in found[question, way]}
        print(f"{question}: {'same rows' if len(rows) == 1 else f'DIFFERENT ROWS: {rows}'}")
        base = statistics.median(took for took, _ in found[question, first])
        for way in ways:
            times = [took for took, _ in found[question, way]]
            median = statistics.median(times)
            print(f"  {way:34} {median:6.0f} ms (min {min(times):.0f}, max {max(times):.0f})  {median / base:.2f}")
