"""Jobs: a batch is queued by one call and worked later, so its rows are known only when the job has ended.

Source: developer.zendesk.com, "Job Statuses": a job that has completed says of each row what became of it, and rows are
told by their index; a job may have begun although the call that asked for it got no answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sync_pipelines.clock import Clock
from sync_pipelines.errors import InDoubt, SyncError
from sync_pipelines.systems.http import Wire
from sync_pipelines.systems.zendesk.answer import Row

PATIENCE_SECONDS = 300.0
"""How long a job is waited for; what becomes of it later is found by reading back."""
_ENDED = ("completed", "failed", "killed")
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 15.0


class _Job(msgspec.Struct):
    id: str
    status: str
    results: list[Row] | None = None


class _Answer(msgspec.Struct):
    job_status: _Job


class Jobs:
    """Batches over organizations."""

    def __init__(self, wire: Wire, *, clock: Clock) -> None:
        self._wire = wire
        self._clock = clock

    def run(self, method: str, action: str, rows: Sequence[Mapping[str, Any]]) -> list[Row | None]:
        """What became of each row; None where the job does not say. `InDoubt` where it can't be learned."""
        path = f"organizations/{action}"
        body = {"organizations": rows}
        response = self._wire.call(method, f"/api/v2/{path}", route=f"{method} /{path}", safe=False, json=body)
        try:
            job = self._ended(_decoded(response.content))
        except SyncError as error:
            raise InDoubt(f"{self._wire.name} queued a job and did not say how it ended: {error}") from None
        told = {row.index: row for row in job.results or () if row.index is not None}
        return [told.get(index) for index in range(len(rows))]

    def _ended(self, job: _Job) -> _Job:
        """The job once it has ended; asked at growing intervals."""
        for wait in _waits():
            if job.status in _ENDED:
                return job
            self._clock.sleep(wait)
            path = f"/api/v2/job_statuses/{job.id}"
            job = _decoded(self._wire.call("GET", path, route="GET /job_statuses/{id}", safe=True).content)
        if job.status in _ENDED:
            return job
        raise InDoubt(f"job {job.id} has not ended after {PATIENCE_SECONDS:.0f} seconds")


def _waits() -> Iterator[float]:
    wait, left = _FIRST_WAIT, PATIENCE_SECONDS
    while left > 0:
        yield wait
        left, wait = left - wait, min(_LONGEST_WAIT, wait * 2)


def _decoded(body: bytes) -> _Job:
    try:
        return msgspec.json.decode(body, type=_Answer).job_status
    except msgspec.MsgspecError as error:
        raise InDoubt(f"the answer about a job could not be read ({error})") from None
