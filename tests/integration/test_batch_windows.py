"""The loop with an ECC as the ERP: runs in between batch windows send once, wait quietly, and agree in the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from landscape import Landscape, Ran

from sync_pipelines.engine.outcome import Result
from sync_pipelines.ledger.embedded import Embedded

HELD = ("customer", "order", "invoice")


@pytest.fixture(scope="module")
def world(postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landscape]:
    with Landscape.open(("salesforce", "stripe", "ecc"), postgres, tmp_path_factory.mktemp("state"), seed=1) as opened:
        yield opened


def of_ecc(ran: Ran) -> dict[str, list[str]]:
    """Reasons by kind, of the open exceptions about ECC."""
    found: dict[str, list[str]] = {}
    for item in ran.items:
        if item.system == "ecc":
            found.setdefault(item.kind, []).append(item.reason)
    return found


def idocs(world: Landscape) -> int:
    """How many documents have left for the ERP, wherever their files lie by now."""
    files = [
        *world.sandboxes["ecc"].vendor.folder.glob("in/*/*.idoc"),
        *world.sandboxes["ecc"].vendor.folder.glob("arch/*/*.idoc"),
    ]
    return sum(path.read_bytes().count(b"EDI_DC40") for path in files)


@pytest.fixture(scope="module")
def runs(world: Landscape) -> list[tuple[Ran, int]]:
    """Runs with a window between them, until nothing is sent and nothing waited for any more; documents sent so far."""
    told = []
    for _ in range(8):
        told.append((world.run(*HELD), idocs(world)))
        if not told[-1][0].awaited and told[-1][1] == told[-2][1]:
            break
        world.sandboxes["ecc"].vendor.admin("window", None)
    return told


def test_what_was_sent_waits_without_an_alarm(runs: list[tuple[Ran, int]]) -> None:
    first, sent = runs[0]

    checks = [first.checks["customer/writes/ecc", name] for name in ("all_confirmed", "nothing_in_doubt")]
    assert sent > 0
    assert first.summary["writes"]["in_doubt"] == sent
    assert {check.result for check in checks} == {Result.NOT_CHECKED}
    assert "wait for the acknowledgement of ecc" in checks[1].reason
    assert "in_doubt" not in of_ecc(first)
    reasons = [reason for some in of_ecc(first).values() for reason in some]
    assert any("its next window is at" in reason for reason in reasons)


def test_no_document_is_sent_twice_and_every_one_is_confirmed_or_refused(
    world: Landscape, runs: list[tuple[Ran, int]]
) -> None:
    last, _ = runs[-1]
    statuses = [idoc["result"]["status"] for idoc in world.sandboxes["ecc"].store.all("_idoc")]

    assert last.awaited == 0
    assert len(statuses) == idocs(world)
    assert "DUP" not in statuses
    assert statuses.count("OK") > 20
    for interface, key in (("ORDERS", "BSTKD"), ("INVOIC", "XBLNR")):
        numbers = [row[key] for row in world.sandboxes["ecc"].store.all(interface)]
        assert len(numbers) == len(set(numbers))


def test_in_the_end_findings_are_left_only_where_a_person_is_needed(runs: list[tuple[Ran, int]]) -> None:
    last, _ = runs[-1]

    assert last.summary["writes"]["confirmed"] == 0
    assert not {"missing", "in_doubt"} & set(of_ecc(last))
    assert last.checks["order/writes/ecc", "nothing_in_doubt"].result is Result.PASSED


def test_every_extract_is_read_whole_and_counted(runs: list[tuple[Ran, int]]) -> None:
    last, _ = runs[-1]

    for interface in ("DEBMAS", "ORDERS", "INVOIC"):
        assert last.checks[f"ecc/{interface}", "complete"].result is Result.PASSED
