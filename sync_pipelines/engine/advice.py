"""Advice: what a person does next about an exception, in words."""

from __future__ import annotations

from collections.abc import Mapping

_NEXT: Mapping[str, str] = {
    "ambiguous": "Give the record exact evidence where it stands: the number or tax id of the one that it is.",
    "closed_period": "Open the period for it, or have it dated into an open one where it was issued. What becomes of "
    "such documents by themselves is `closed_period` of the domain.",
    "deleted": "Delete or archive the record here, or restore it in the leading system.",
    "differs": "Correct the side that is wrong; the plan may not.",
    "duplicate": "Merge the two records, or correct the key that they share.",
    "failed": "Wait: the next run plans and sends it again by itself. If it fails again, mend what the reason names.",
    "in_doubt": "Wait: the next run reads back whether it was stored, and sends nothing before it knows.",
    "merged": "Merge the two records here too, or delete one.",
    "missing": "Create it, or remove what it waits for.",
    "quarantined": "Complete the record where it stands.",
    "refused": "Mend what the reason names. In the record or the mapping: the next run sends what is right then. "
    "In the system that refused it: `exceptions retry`. Only in what is sent: `exceptions edit`. "
    "Or accept the difference: `exceptions discard`.",
    "unknown": "Enter it in the leading system too, or void it here.",
}
_BY_CODE: Mapping[str, str] = {
    "drifted": "Wait: the next run plans it anew from what is there now.",
    "no_key": "Look for it in the system, for it can't be read back. Then say what you found: `exceptions settle` with "
    "`--committed RECORD_ID` or `--not-committed`; nothing is sent before.",
    "released": "Wait: the next run sends it again.",
}


def next_step(kind: str, *, code: str = "") -> str:
    """What to do about an exception of a kind; a code tells it more precisely."""
    return _BY_CODE.get(code) or _NEXT.get(kind, "Mend what the reason names.")
