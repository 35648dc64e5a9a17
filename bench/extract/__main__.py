"""What a first extraction into the lake costs, beside merely parsing the same pages and beside other tools.

    python bench/extract [--records 500000] [--runs 3] [--peers 50000]

Each reader is a process of its own, and all read from one local vendor, whose pages are rendered beforehand. Counted
are the CPU seconds of a reader once its code is loaded, of what it starts, and for the product of the PostgreSQL that
holds the lake's catalog.
The limit and the product take turns, and medians count; the other tools, in an environment of their own, read fewer
records, once, and are compared a record. Ends with 1 where the product takes more than twice the limit.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sync_pipelines.lake import Lake
from sync_pipelines.ledger.embedded import Embedded

HERE = Path(__file__).parent
LIMIT = "requests + orjson, parsed only"
PRODUCT = "sync-pipelines, into the lake"
PEERS = HERE / "peers"
READERS = {"dlt, into Parquet files": "with_dlt.py", "Singer tap, into a file of messages": "with_singer.py"}
ALLOWED = 2.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a reader spent on how many records."""

    records: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.records / self.seconds


def main() -> None:
    """Measure all in turn, print a table and the verdict."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--records", type=int, default=500_000)
    asked.add_argument("--runs", type=int, default=3, help="of the limit and of the product")
    asked.add_argument("--peers", type=int, default=50_000, help="records for the other tools; 0 leaves them out")
    given = asked.parse_args()
    with TemporaryDirectory() as folder:
        costs = measured(Path(folder), given.records, runs=given.runs)
        costs |= of_peers(Path(folder), given.peers) if given.peers else {}
    sys.stdout.write(table(costs))
    raise SystemExit(times_the_limit(costs, PRODUCT) > ALLOWED)


def measured(folder: Path, records: int, *, runs: int) -> dict[str, Cost]:
    """The medians of the limit and the product."""
    server = Embedded.start(folder / "postgres")
    try:
        with vendor(records) as url:
            turns = [
                (of_limit(url, records), of_product(url, records, server=server, database=f"run_{run}"))
                for run in range(runs)
            ]
    finally:
        server.stop()
    parsed, stored = zip(*turns, strict=True)
    return {LIMIT: _median(parsed), PRODUCT: _median(stored)}


def table(costs: Mapping[str, Cost]) -> str:
    """The costs of all as text, the verdict in its last line."""
    lines = [f"{'':40} {'records':>9} {'CPU seconds':>12} {'records a CPU second':>21} {'times the limit':>16}"]
    for name, cost in costs.items():
        numbers = f"{cost.records:9,} {cost.seconds:12.2f} {cost.per_second:21,.0f}"
        lines.append(f"{name:40} {numbers} {times_the_limit(costs, name):16.2f}")
    times = times_the_limit(costs, PRODUCT)
    return "\n".join(
        [*lines, f"{'within' if times <= ALLOWED else 'NOT WITHIN'} {ALLOWED:g} times the limit: {times:.2f}\n"]
    )


def times_the_limit(costs: Mapping[str, Cost], name: str) -> float:
    return costs[LIMIT].per_second / costs[name].per_second


def of_limit(url: str, records: int) -> Cost:
    return _of_process(records, [sys.executable, HERE / "limit.py", url])


def of_product(url: str, records: int, *, server: Embedded, database: str) -> Cost:
    """With the share of the server that has the catalog; the lake is there before, and empty."""
    server.ensure(database)
    with TemporaryDirectory() as folder:
        Lake.open(catalog=server.libpq(database), data=folder).close()
        begun = _of_server(server)
        cost = _of_process(records, [sys.executable, HERE / "product.py", url, server.libpq(database), folder])
        return Cost(records, cost.seconds + _of_server(server) - begun)


def of_peers(folder: Path, records: int) -> dict[str, Cost]:
    """The other tools, each with a folder for what it makes of the records."""
    uv = shutil.which("uv") or HERE.parents[1] / ".tools" / "bin" / "uv"
    subprocess.run([uv, "sync", "--quiet", "--locked", "--project", PEERS], check=True)
    python = PEERS / ".venv" / "bin" / "python"
    with vendor(records) as url:
        return {name: _of_process(records, [python, PEERS / script, url, folder]) for name, script in READERS.items()}


@contextmanager
def vendor(records: int) -> Iterator[str]:
    """The address of a vendor with so many records, in a process of its own."""
    with subprocess.Popen([sys.executable, HERE / "vendor.py", str(records)], stdout=subprocess.PIPE, text=True) as it:
        try:
            yield it.stdout.readline().strip() if it.stdout else ""
        finally:
            it.kill()  # it may have inherited to ignore a kinder word


def _of_process(records: int, command: Sequence[str | Path]) -> Cost:
    """What a process and those that it starts spend on reading all records; it has to say that it did."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    read, loading = told.split()
    if read != str(records):
        raise SystemExit(f"{Path(command[1]).name} read {read!r} instead of {records} records")
    return Cost(records, ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime - float(loading))


def _of_server(server: Embedded) -> float:
    """The CPU seconds of PostgreSQL's processes, of those too that have ended."""
    first = (server.folder / "postmaster.pid").read_text().split()[0]
    of = {process: stat for process, stat in _processes() if first in (process, stat[1])}
    ended = sum(map(int, of[first][13:15]))
    return (ended + sum(int(each) for stat in of.values() for each in stat[11:13])) / TICKS


def _processes() -> Iterator[tuple[str, Sequence[str]]]:
    """The id of each process, and what follows its name in Linux's /proc/ID/stat."""
    for each in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            yield each.parent.name, each.read_text().rpartition(")")[2].split()


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(costs[0].records, statistics.median(each.seconds for each in costs))


if __name__ == "__main__":
    main()
