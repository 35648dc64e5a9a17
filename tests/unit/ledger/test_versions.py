"""Versions of what decides are told once, with what was before."""

from __future__ import annotations

from sync_pipelines.ledger import Ledger


def _told(ledger: Ledger, subject: str) -> list[tuple[str, object, object]]:
    return [(e.kind, e.detail["before"], e.detail["after"]) for e in ledger.audit_of(subject)]


def test_a_version_is_told_when_it_is_first_met_and_not_again(ledger: Ledger) -> None:
    ledger.note_versions({"topology": "a1", "policy/order": "p1"}, author=lambda _: "ann")
    ledger.note_versions({"topology": "a1", "policy/order": "p1"}, author=lambda _: "ben")

    assert _told(ledger, "topology") == [("version.met", None, "a1")]
    assert _told(ledger, "policy/order") == [("version.met", None, "p1")]


def test_a_changed_version_is_told_with_the_old_one_and_who_brought_it(ledger: Ledger) -> None:
    ledger.note_versions({"topology": "a1"}, author=lambda _: "ann")
    ledger.note_versions({"topology": "a2"}, author=lambda _: "ben")

    assert _told(ledger, "topology")[-1] == ("version.changed", "a1", "a2")
    assert ledger.audit_of("topology")[-1].detail["author"] == "ben"


def test_a_version_that_comes_back_is_told_again_and_keeps_its_author(ledger: Ledger) -> None:
    for version, author in (("a1", "ann"), ("a2", "ben"), ("a1", "cleo"), ("a1", "dan")):
        ledger.note_versions({"topology": version}, author=lambda _, name=author: name)

    assert [after for _, _, after in _told(ledger, "topology")] == ["a1", "a2", "a1"]
    assert [ledger.author("topology", version) for version in ("a1", "a2", "a3")] == ["ann", "ben", None]
