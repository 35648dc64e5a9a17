"""Systems that take one record a call: the calls of a batch at once, and an outcome for each whatever became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sync_pipelines.engine.port import Outcome, Request, State
from sync_pipelines.errors import SyncError

BATCH_MAX = 25
"""Calls that one write asks for. Several writes may be under way at once: what a crash can leave in doubt, and what is
still sent to a system that went down, grows with it."""

In = TypeVar("In")
Out = TypeVar("Out")


def each(work: Callable[[In], Out], items: Sequence[In], *, concurrency: int) -> list[Out]:
    """The work for each item, so many at a time; results in order.

    Where several threads do this at once, the system's budget holds `concurrency` for all of them together.

    >>> each(abs, [-1, 2, -3], concurrency=2)
    [1, 2, 3]
    """
    if concurrency < 2 or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(concurrency) as pool:
        return list(pool.map(work, items))


def outcomes(requests: Sequence[Request], results: Sequence[Outcome | SyncError]) -> list[Outcome]:
    """An outcome for each request, or the error if not one of them was sent, so that none of them hides another."""
    failures = [result for result in results if isinstance(result, SyncError)]
    if failures and len(failures) == len(results):
        raise failures[0]
    return [
        Outcome(request.write_id, State.FAILED, request.record_id, code="not_sent", message=str(result))
        if isinstance(result, SyncError)
        else result
        for request, result in zip(requests, results, strict=True)
    ]
