"""Identifiers as the stand-ins make them, derived from the seed and the thing they name."""

from __future__ import annotations

from dataclasses import dataclass

from sync_pipelines.sandbox.letters import letters
from sync_pipelines.sandbox.salesforce.ids import record_id
from sync_pipelines.sandbox.stripe.identifier import identifier


@dataclass(frozen=True, slots=True)
class Ids:
    """The identifiers of one simulated company; another seed gives others.

    >>> Ids(7).stripe("customer", "C-00001") == Ids(7).stripe("customer", "C-00001")
    True
    """

    seed: int

    def salesforce(self, prefix: str, index: int) -> str:
        """An 18-character id of an object's prefix; rising indexes give rising ids, with gaps."""
        return record_id(prefix, 10_000_000 + self.seed % 1000 * 10_000 + 7 * index)

    def stripe(self, kind: str, *names: object) -> str:
        """An id of a kind of object ("customer" gives "cus_…")."""
        return identifier(kind, "company", self.seed, *names)

    def invoice_prefix(self, customer_id: str) -> str:
        """The eight capitals and digits with which a customer's invoice numbers begin."""
        return letters(8, "prefix", self.seed, customer_id).upper()
