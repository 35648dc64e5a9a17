"""The Salesforce stand-in as another vendor's client sees it: jsforce, over a socket and from JavaScript.

Node.js is not the project's to install: without it, or where npm can't fetch jsforce, these tests are skipped.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.salesforce import record_id, seed
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.store import Store

SOURCE = Path(__file__).with_name("jsforce")
INSTALLED = Path(__file__).parents[2] / ".tools" / "jsforce"
TODAY = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)

Tell = Callable[..., Any]


@pytest.fixture(scope="module")
def witness() -> Path:
    """The script beside an installed jsforce of the pinned version."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("Node.js and npm are not installed: apt install nodejs npm")
    shutil.copytree(SOURCE, INSTALLED, dirs_exist_ok=True)
    lock, held = SOURCE / "package-lock.json", INSTALLED / "node_modules" / "package-lock.json"
    if not held.exists() or held.read_bytes() != lock.read_bytes():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
        ended = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, timeout=300)
        if ended.returncode:
            pytest.skip(f"npm can't install jsforce: {ended.stderr.strip().splitlines()[0]}")
        shutil.copy(lock, held)
    return INSTALLED / "witness.mjs"


@pytest.fixture
def tell(witness: Path) -> Tell:
    """Lives a story of the witness over a fresh stand-in that holds some accounts, and gives what it told."""

    def live(story: str, *, accounts: int = 0) -> Any:
        sandbox = open_sandbox("salesforce", Store(None), clock=VirtualClock(TODAY))
        seed(sandbox.store, {"Account": [{"Id": record_id("001", n + 1), "Name": str(n)} for n in range(accounts)]})
        with serve(sandbox) as running:
            command = ["node", str(witness), story, running.url]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return live


def test_a_record_is_created_read_changed_and_deleted(tell: Tell) -> None:
    told = tell("record")

    row = told["row"]
    assert told["made"] == {"id": row["Id"], "success": True, "errors": []}
    assert (row["Name"], row["Phone"], row["Fax"]) == ("Größe & Söhne 𝄞", "+49 30 1", None)
    assert told["then"] == "ENTITY_IS_DELETED"


def test_an_upsert_creates_once_and_then_updates(tell: Tell) -> None:
    first, second, rows = tell("upsert")

    assert (first["created"], second["created"]) == (True, False)
    assert [(row["Id"], row["Name"]) for row in rows] == [(first["id"], "Acme Inc")]
    assert second["id"] == first["id"]


def test_more_rows_than_a_collection_takes_go_in_several_and_the_bad_one_is_named(tell: Tell) -> None:
    told = tell("collections")

    bad = [number for number, each in enumerate(told["made"]) if not each["success"]]
    assert (len(told["made"]), bad) == (450, [7])
    assert told["made"][7]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    assert told["read"] == ["Account 0", "Account 1", "Account 2"]


def test_a_query_is_followed_through_all_its_pages(tell: Tell) -> None:
    told = tell("pages", accounts=4500)

    assert told["ids"] == [record_id("001", number + 1) for number in range(4500)]
    assert told["calls"] == 3


def test_refusals_come_with_salesforces_codes(tell: Tell) -> None:
    assert tell("refusals") == {
        "nameless": "REQUIRED_FIELD_MISSING",
        "misspelt": "INVALID_FIELD",
        "absent": "NOT_FOUND",
    }


def test_what_changed_and_what_was_deleted_is_listed(tell: Tell) -> None:
    told = tell("changes")

    assert (told["updated"], told["deleted"]) == ([told["kept"]], [told["gone"]])


def test_an_ended_session_is_renewed_once(tell: Tell) -> None:
    assert tell("renewal", accounts=3) == {"rows": 3, "renewals": 1}
