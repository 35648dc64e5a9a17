"""What has to hold of a system that is reached by files: what was sent, what it made of that, and what we say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sync_pipelines.engine.doubt import OVERDUE
from sync_pipelines.systems.ecc.idoc import write_ids
from sync_pipelines.testing.simulation.life import Ended
from sync_pipelines.testing.simulation.night_job import POSTED, NightJob
from sync_pipelines.testing.simulation.others import FILES
from sync_pipelines.testing.simulation.world import World


def files_carry_a_write_once(world: World, ended: Ended) -> Iterator[str]:
    """No write is in two files that count, or twice in one, wherever they lie by now."""
    if world.night is None:
        return
    sent = _sent(world.night)
    for write_id, number in sorted(Counter(write_id for write_id, _ in sent).items()):
        if number > 1:
            yield f"write {write_id} is in {number} files: {', '.join(stem for each, stem in sent if each == write_id)}"


def confirmed_is_posted(world: World, ended: Ended) -> Iterator[str]:
    """What the ledger says was confirmed is in the books, and what was posted is confirmed."""
    if world.night is None:
        return
    posted = {idoc["key"] for idoc in world.night.idocs() if idoc["status"] == POSTED}
    writes = world.planes.ledger_rows(
        f"SELECT write_id, label, state, code FROM ledger.writes WHERE target = '{FILES}' ORDER BY label, write_id"
    )
    for row in writes:
        is_posted = row["write_id"] in posted
        if is_posted != (row["state"] == "confirmed"):
            in_books = "is in the books" if is_posted else "is not in the books"
            yield f"the write of {row['label']} {in_books}, and is {row['state']} {row['code']}"
    for write_id in sorted(posted - {row["write_id"] for row in writes}):
        yield f"write {write_id} is in the books, and the ledger knows nothing of it"


def is_overdue(world: World, write_id: str, code: str, label: str) -> bool:
    """Whether a doubt is one that only the ERP's operators can end, and an open exception says so."""
    if world.night is None or code != OVERDUE:
        return False
    forgotten = {each for each, stem in _sent(world.night) if stem in world.night.forgotten}
    told = world.planes.ledger_rows(
        f"SELECT label FROM ledger.work_items WHERE system = '{FILES}' AND resolved_at IS NULL"
    )
    return write_id in forgotten and label in {item["label"] for item in told}


def _sent(job: NightJob) -> list[tuple[str, str]]:
    """Each write of ours that lies in a file with a control file, and the name of that file."""
    found = []
    for place in ("in", "arch"):
        for control in sorted((job.folder / place).glob("*/*_SYNC_*.ctl")):
            data = control.with_suffix(".idoc").read_bytes()
            found += [(write_id, control.stem) for write_id in write_ids(data, "cp1252")]
    return found


JUDGES = (files_carry_a_write_once, confirmed_is_posted)
