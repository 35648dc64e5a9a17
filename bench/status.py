"""How long `sync-pipelines status NUMBER` takes with a million records in the lake and as many rows in the ledger.

    python bench/status.py [--records 1000000] [--state FOLDER]

Prints one JSON object: seconds of the look-up and story alone, and of the whole command as a person waits for it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from sqlalchemy import create_engine, text

from sync_pipelines import config, planes
from sync_pipelines.chronicle import tell
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.schema import META, sql_type
from sync_pipelines.engine.conform import table
from sync_pipelines.engine.topology import Topology
from sync_pipelines.lake import Lake

SYNC_TOML = Path(__file__).parents[1] / "sync.toml"
SHARE = {"order": 0.15, "contract": 0.1, "invoice": 0.2, "entitlement": 0.05}
"""Of all records, those of a domain in each of its two systems."""
RUNS = 5
T = TypeVar("T")


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
    with planes.open_planes(topology) as (lake, ledger):
        if "order_salesforce" not in {name for (name,) in lake.rows("SELECT table_name FROM duckdb_tables()")}:
            _fill_lake(lake, topology, records)
            _fill_ledger(planes.database_url(topology), records)
        word = f"IN-{int(records * SHARE['invoice']) // 2}"
        told, queries = _timed(lambda: tell(topology, lake, ledger, word))
        with ledger.engine.connect() as connection:
            rows = {
                name: connection.scalar(text(f"SELECT count(*) FROM ledger.{name}"))
                for name in ("links", "writes", "audit_entries")
            }
    environment = {**os.environ, "SYNC_STATE": str(topology.state), "SYNC_TOPOLOGY": str(SYNC_TOML)}
    command = [sys.executable, "-c", "from sync_pipelines.cli import main; main()", "status", word]
    _, whole = _timed(lambda: subprocess.run(command, env=environment, check=True, capture_output=True))
    _, bare = _timed(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))
    return {
        "records": records,
        "ledger": rows,
        "told": {name: len(each) for name, each in told.items()},
        "seconds": {"story": queries, "whole command": whole, "an empty Python": bare},
    }


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    """What a call gives, and the median of its seconds, the first time apart."""
    result, seconds = call(), []
    for _ in range(RUNS):
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    return result, round(statistics.median(seconds), 3)


def _fill_lake(lake: Lake, topology: Topology, records: int) -> None:
    for domain, share in SHARE.items():
        for system in topology.domains[domain].systems:
            values = {
                "record_id": f"'{system}-{domain}-' || n",
                "version": "'1'",
                "is_deleted": "false",
                "label": f"{_number(domain)} || ' of a customer'" if domain == "order" else _number(domain),
                "number": _number(domain),
                "correlation_id": "'deal-' || n" if domain in {"order", "contract"} else "'O-' || n",
                "status": "'posted'",
                "currency": "'USD'",
                DOMAINS[domain].amount: "n",
                "lines": """'[{"product":"SKU-001","quantity":"1","amount_minor":' || n || '}]'""",
            }
            kinds = {**META, **{field.name: sql_type(field) for field in DOMAINS[domain].fields}}
            columns = ", ".join(f"CAST({values.get(name, 'NULL')} AS {kind}) AS {name}" for name, kind in kinds.items())
            lake.db.execute(
                f"CREATE TABLE {table(domain, system)} AS SELECT {columns}, CAST(NULL AS VARCHAR) AS refused"
                f" FROM range(1, {int(records * share) + 1}) t(n) ORDER BY 1"
            )


def _number(domain: str) -> str:
    return f"'{ {'order': 'O', 'contract': 'C', 'invoice': 'IN', 'entitlement': 'E'}[domain] }-' || n"


def _fill_ledger(url: str, records: int) -> None:
    each = records // 2
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in (
            "SET LOCAL session_replication_role = replica",
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
