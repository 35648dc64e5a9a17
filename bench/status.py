"""What `sync-pipelines status NUMBER` costs with a million records, links, writes and audit entries in the ledger.

    python bench/status.py [--records 1000000] [--state FOLDER]

Prints one JSON object. It counts CPU seconds, of the command's processes and, for the queries, of the database too,
and sets them in proportion to an empty Python and to one look-up by primary key: so it tells the same on a machine
that is busy with other things.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, create_engine, event, text

from sync_pipelines import config, planes
from sync_pipelines.chronicle import tell
from sync_pipelines.engine.topology import Topology
from sync_pipelines.ledger import Ledger

SYNC_TOML = Path(__file__).parents[1] / "sync.toml"
SHARE = {"order": 0.15, "contract": 0.1, "invoice": 0.2, "entitlement": 0.05}
"""Of all records, those of a domain in each of its two systems."""
FILLED = ("records", "links", "writes", "attempts", "audit_entries")
RUNS = 5
REPEATED = 50
TICKS = os.sysconf("SC_CLK_TCK")
IMPORTS = "import sync_pipelines.cli, sync_pipelines.chronicle, sync_pipelines.terminal, sync_pipelines.planes"
COMMAND = "from sync_pipelines.cli import main; main()"


def main() -> None:
    """Build, measure, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--records", type=int, default=1_000_000)
    asked.add_argument("--state", type=Path)
    given = asked.parse_args()
    with TemporaryDirectory() as folder:
        topology = config.load(SYNC_TOML, environment={}, state=given.state or Path(folder), strict=False)
        server = planes.embedded(topology)
        try:
            sys.stdout.write(json.dumps(_measured(topology, given.records), indent=2) + "\n")
        finally:
            server.stop()


def _measured(topology: Topology, records: int) -> dict[str, object]:
    word = f"IN-{int(records * SHARE['invoice']) // 2}"
    with Ledger.open(planes.database_url(topology)) as ledger:
        with ledger.engine.connect() as connection:
            filled = bool(connection.scalar(text("SELECT EXISTS (SELECT FROM ledger.records)")))
        if not filled:
            _fill(planes.database_url(topology), topology, records)
        told = tell(topology, ledger, word)
        statements = _statements(ledger, lambda: tell(topology, ledger, word))
        story = _of_query(ledger, lambda: tell(topology, ledger, word))
        look_up = _of_query(ledger, lambda: ledger.find_writes(["w1"]))
        with ledger.engine.connect() as connection:
            rows = {name: connection.scalar(text(f"SELECT count(*) FROM ledger.{name}")) for name in FILLED}
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPYCACHEPREFIX": str(topology.state / "bytecode"),  # compiled once, as in any installation
        "SYNC_STATE": str(topology.state),
        "SYNC_TOPOLOGY": str(SYNC_TOML),
    }
    bare, imports, whole = (
        _of_process([sys.executable, "-c", *each], environment)
        for each in (["pass"], [IMPORTS], [COMMAND, "status", word])
    )
    return {
        "rows": rows,
        "told": {name: len(each) for name, each in told.items()},
        "statements": statements,
        "cpu_seconds": {"command": whole, "its imports": imports, "its queries": story},
        "times_an_empty_python": {"command": round(whole / bare, 1), "its imports": round(imports / bare, 1)},
        "times_a_look_up_by_key": {"its queries": round(story / look_up, 1)},
        "cpu_seconds_of_the_measures": {"an empty Python": bare, "a look-up by key": look_up},
    }


def _statements(ledger: Ledger, call: Callable[[], object]) -> int:
    heard: list[str] = []

    def hear(_: Connection, __: object, statement: str, *___: object) -> None:
        heard.append(statement)

    event.listen(ledger.engine, "before_cursor_execute", hear)
    call()
    event.remove(ledger.engine, "before_cursor_execute", hear)
    return len(heard)


def _of_query(ledger: Ledger, call: Callable[[], object]) -> float:
    """The CPU seconds of a call, here and in the database's process for our one connection."""
    with ledger.engine.connect() as connection:
        process = int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)
    measured = []
    for _ in range(RUNS):
        begun = _here() + _there(process)
        for _ in range(REPEATED):
            call()
        measured.append((_here() + _there(process) - begun) / REPEATED)
    return round(statistics.median(measured), 5)


def _here() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _there(process: int) -> float:
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICKS


def _of_process(command: list[str], environment: dict[str, str]) -> float:
    """The median CPU seconds of a process and of those that it starts, the first time apart."""
    measured = []
    for _ in range(RUNS + 1):
        begun = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, env=environment, check=True, capture_output=True)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        measured.append(ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime)
    return round(statistics.median(measured[1:]), 3)


def _number(domain: str) -> str:
    return f"'{ {'order': 'O', 'contract': 'C', 'invoice': 'IN', 'entitlement': 'E'}[domain] }-' || n"


def _fill(url: str, topology: Topology, records: int) -> None:
    each = records // 2
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in (
            "SET LOCAL session_replication_role = replica",
            *(
                f"""INSERT INTO ledger.records
                    SELECT '{system}-{domain}-' || n, '{domain}', '{system}', {_number(domain)},
                        {_number(domain)} || ' of a customer', 'posted', n, 'USD',
                        {"'deal-'" if domain in {"order", "contract"} else "'O-'"} || n, false
                    FROM generate_series(1, {int(records * share)}) n"""
                for domain, share in SHARE.items()
                for system in topology.domains[domain].systems
            ),
            f"""INSERT INTO ledger.links (domain, link_id, system, record_id, rule, evidence, since, run_id)
                SELECT 'invoice', 'invoice-' || n, s, s || '-invoice-' || n, 'number', 'same number', now(), 'run-1'
                FROM generate_series(1, {each}) n, unnest(ARRAY['stripe', 'tryton']) s""",
            """INSERT INTO ledger.plans (plan_id, run_id, domain, target, snapshot, mapping_version, ownership_version,
                content_hash, created_at, state, counts, amounts, waits)
                VALUES ('plan-1', 'run-1', 'invoice', 'tryton', 1, 'm', 'o', 'h', now(), 'applied', '{}', '{}', '')""",
            f"""INSERT INTO ledger.writes (write_id, plan_id, domain, target, link_id, operation, object, external_id,
                idempotency_key, correlation_id, label, changes, body, "then", state, record_id_after, code, message,
                updated_at)
                SELECT 'w' || n, 'plan-1', 'invoice', 'tryton', 'invoice-' || n, 'create', 'account.invoice',
                    'IN-' || n, 'w' || n, 'deal-' || n, 'IN-' || n, '[]', '{{}}', '[]', 'confirmed',
                    'tryton-invoice-' || n, '', '',
                    now() FROM generate_series(1, {records}) n""",
            f"""INSERT INTO ledger.attempts (write_id, number, started_at, ended_at, state, code, message)
                SELECT 'w' || n, 1, now(), now(), 'confirmed', '', '' FROM generate_series(1, {records}) n""",
            f"""INSERT INTO ledger.audit_entries
                SELECT n, now(), 'bench', (ARRAY['write.planned', 'write.intent', 'write.confirmed'])[1 + n % 3],
                    'w' || (1 + n / 3), 'deal-' || (1 + n / 3), '{{}}', '', '' FROM generate_series(1, {records}) n""",
        ):
            connection.execute(text(statement))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


if __name__ == "__main__":
    main()
