"""What a run came to: its summary for machines, and the finance check report, from what its steps told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sync_pipelines import mappings
from sync_pipelines.clock import Clock
from sync_pipelines.engine.outcome import Extraction, Result
from sync_pipelines.engine.port import State
from sync_pipelines.engine.topology import Topology
from sync_pipelines.lake import Lake
from sync_pipelines.ledger import Ledger
from sync_pipelines.reports import finance

SETTLED = (State.CONFIRMED, State.REFUSED, State.IN_DOUBT, State.FAILED)
NOT_RUN = "not_run"
"""The key under which a step that was not made keeps why."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A run as it can be told now, also while it is under way."""

    topology: Topology
    lake: Lake
    ledger: Ledger
    run_id: str
    mode: str
    clock: Clock

    def summary(self) -> dict[str, Any]:
        """What this run came to, for machines: counts by system, domain, state, kind, owner and outcome."""
        steps, left_out = self._told()
        read: Counter[str] = Counter()
        for told in steps.values():
            read[told.get("system", "")] += told.get("read", 0)
        reconciled = {name: steps[key] for name in self.topology.domains if (key := f"{name}/reconciliation") in steps}
        linked, states = self.ledger.linked_by_domain(), self.ledger.writes_by_state(self.run_id)
        outcomes, path = self.ledger.checks_by_result(self.run_id), self._report_path()
        return {
            "run": self.run_id,
            "read": {name: read[name] for name in self.topology.systems},
            "linked": {name: linked.get(name, 0) for name in self.topology.domains},
            "writes": {state.value: states.get(state.value, 0) for state in SETTLED},
            "waiting": {name: count for name, count in self._waiting(steps).items() if count},
            "findings": {name: told["findings"] for name, told in reconciled.items() if told["findings"]},
            "at_stake": {name: told["amounts"] for name, told in reconciled.items() if told["amounts"]},
            "exceptions": self.ledger.exceptions_by_owner(),
            "checks": {result.value: outcomes.get(result.value, 0) for result in Result},
            "not_run": left_out,
            "queued": _queued(steps),
            "report": str(path) if path.exists() else None,
        }

    def report(self) -> Path:
        """Write the finance check report, and say where it is."""
        path = self._report_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(finance.render(self._report()), encoding="utf-8")
        return path

    def _report_path(self) -> Path:
        return self.topology.state / "reports" / f"finance-{self.run_id}.html"

    def _report(self) -> finance.Report:
        findings = [finance.Finding(**row) for row in self.lake.findings(self.run_id)]
        pairs = {domain: self.topology.pairs(domain) for domain in self.topology.domains}
        return finance.Report(
            basis=finance.Basis(
                run_id=self.run_id,
                mode=self.mode,
                as_of=self.clock.now(),
                snapshot=self.lake.snapshot(),
                mapping_versions={
                    f"{system}/{domain}": mappings.version(system, domain)
                    for domain, settings in self.topology.domains.items()
                    for system in settings.systems
                },
                extractions=self._extractions(),
            ),
            legal_entities={code: entity.name for code, entity in self.topology.legal_entities.items()},
            checks=self.ledger.checks(self.run_id),
            comparisons=finance.compare(self.ledger.totals(self.run_id), findings, pairs),
            findings=findings,
            exceptions=[
                finance.OpenException(**{name: getattr(item, name) for name in finance.OpenException.__slots__})
                for item in self.ledger.open_work_items()
            ],
            owners={code: person.name for code, person in self.topology.people.items()},
        )

    def _told(self) -> tuple[dict[str, Any], dict[str, str]]:
        """What the steps of this run told, and why others were not made."""
        steps = self.ledger.steps(self.run_id)
        left_out = {subject: told[NOT_RUN] for subject, told in steps.items() if NOT_RUN in told}
        return {subject: told for subject, told in steps.items() if subject not in left_out}, left_out

    def _extractions(self) -> list[Extraction]:
        told, _ = self._told()
        known = {(c.subject, c.name): c for c in self.ledger.checks(self.run_id)}
        return [
            Extraction(**{**told[subject], "checks": tuple(c for (of, _), c in known.items() if of == subject)})
            for system in self.topology.systems
            for subject in (f"{system}/{name}" for name in mappings.objects(system))
            if subject in told
        ]

    def _waiting(self, steps: Mapping[str, Any]) -> dict[str, int]:
        """By domain how many writes of this run's plans wait for a person's word."""
        return {
            name: sum(steps.get(f"{name}/writes/{target}", {}).get("waiting", 0) for target in settings.targets)
            for name, settings in self.topology.domains.items()
        }


def _queued(steps: Mapping[str, Any]) -> dict[str, Any]:
    """The writes that wait for the end of a maintenance window or a pause, by system, and why."""
    waiting: dict[str, Any] = {}
    for told in steps.values():
        if told.get("queued"):
            held = waiting.setdefault(told["target"], {"writes": 0, "why": told["queued"]})
            held["writes"] += told["states"].get(State.PLANNED, 0) - told["waiting"]
    return waiting
