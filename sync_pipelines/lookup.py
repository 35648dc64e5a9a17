"""Finding a business transaction by what people call it: a number, a label, or an id in any system."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.conform import table
from sync_pipelines.engine.topology import Topology
from sync_pipelines.engine.values import quoted
from sync_pipelines.lake import Lake


@dataclass(frozen=True, slots=True)
class Known:
    """A record that a word names, in one system."""

    domain: str
    system: str
    record_id: str
    label: str

    @property
    def address(self) -> tuple[str, str, str]:
        return self.domain, self.system, self.record_id


def records(lake: Lake, topology: Topology, word: str) -> list[Known]:
    """The records of every domain and system that a word names, in the order of the domains."""
    return [known for domain in DOMAINS if domain in topology.domains for known in _of(lake, topology, domain, word)]


def _of(lake: Lake, topology: Topology, domain: str, word: str) -> Iterator[Known]:
    for system in topology.domains[domain].systems:
        columns = lake.columns(table(domain, system))
        named = [f"upper({quoted(name)}) = upper($1)" for name in ("number", "code", "label") if name in columns]
        if not columns:
            continue
        found = lake.rows(
            f"SELECT record_id, label FROM {table(domain, system)} WHERE {' OR '.join([*named, 'record_id = $1'])}",
            (word,),
        )
        yield from (Known(domain, system, record_id, label) for record_id, label in found)
