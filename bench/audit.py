"""What the audit trail costs: appending in one transaction, and verifying a long chain.

    python bench/audit.py [--entries 1000000]

Prints one JSON object. Appending is compared with inserting the same rows without a chain, verifying with
hashing the same entries from memory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from sync_pipelines.ledger import Ledger
from sync_pipelines.ledger.change import changing
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.ledger.relation import add
from sync_pipelines.ledger.tables import audit_entries

BATCH = 10_000
AT = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def main() -> None:
    """Build, measure, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--entries", type=int, default=1_000_000)
    given = asked.parse_args()
    with TemporaryDirectory() as folder:
        server = Embedded.start(Path(folder) / "postgres")
        try:
            server.ensure("bench")
            with Ledger.open(server.url("bench")) as ledger:
                sys.stdout.write(json.dumps(_measured(ledger, given.entries), indent=2) + "\n")
        finally:
            server.stop()


def _measured(ledger: Ledger, entries: int) -> dict[str, object]:
    chained = [_timed(partial(_append, ledger, start)) for start in range(0, entries, BATCH)]
    plain = sorted(_timed(partial(_insert, ledger, entries + n * BATCH)) for n in range(1, 6))[2]
    verifying = _timed(lambda: _must_be_whole(ledger, entries))
    hashing = _hashing(ledger, entries)
    append = sorted(chained)[len(chained) // 2]
    return {
        "entries": entries,
        "append 10,000 in one transaction, seconds": round(append, 3),
        "insert 10,000 such rows without a chain, seconds": round(plain, 3),
        "append : insert": round(append / plain, 2),
        "verify all, seconds": round(verifying, 2),
        "hash all from memory, seconds": round(hashing, 2),
        "verify : hash": round(verifying / hashing, 2),
    }


def _append(ledger: Ledger, start: int) -> None:
    with changing(ledger.engine, at=AT, actor="bench") as change:
        for n in range(start, start + BATCH):
            change.tell("write.confirmed", f"write-{n}", correlation_id=f"deal-{n % 999}", code="", record_id=str(n))


def _insert(ledger: Ledger, start: int) -> None:
    """The same rows, by the same statement; rolled back, for they are part of no chain."""
    blank = {"kind": "write.confirmed", "actor": "bench", "previous_hash": "0" * 64, "hash": "0" * 64, "at": AT}
    with ledger.engine.connect() as connection:
        rows = [
            {**blank, "seq": n, "subject": f"write-{n}", "correlation_id": f"deal-{n % 999}",
             "detail": {"code": "", "record_id": str(n)}}
            for n in range(start, start + BATCH)
        ]  # fmt: skip
        add(connection, audit_entries, rows)
        connection.rollback()


def _must_be_whole(ledger: Ledger, entries: int) -> None:
    verdict = ledger.audit_verdict()
    if verdict.broken is not None or verdict.entries != entries:
        raise SystemExit(f"the chain is not whole: {verdict}")


def _hashing(ledger: Ledger, entries: int) -> float:
    """Seconds that SHA-256 alone takes over as many texts of an entry's length."""
    with ledger.engine.connect() as connection:
        entry = connection.execute(text("SELECT * FROM ledger.audit_entries WHERE seq = 7")).one()
    content = json.dumps(dict(entry._mapping), default=str).encode()
    return _timed(lambda: [hashlib.sha256(content).hexdigest() for _ in range(entries)])


def _timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
