"""Asynchronous jobs: what they were asked, and one task for each record with a result of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.netsuite.refusal import Refusal, missing

JOBS = "/services/rest/async/v1/job"


@dataclass(frozen=True, slots=True)
class Result:
    """The answer that one record would have had by itself."""

    status: int
    body: Any = None
    location: str = ""


@dataclass(slots=True)
class Job:
    number: int
    due_at: datetime
    tasks: list[Callable[[], Result]]
    results: list[Result] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return len(self.results) == len(self.tasks)


class Jobs:
    """Jobs by number; one that is due is carried out when the next call arrives."""

    def __init__(self, clock: VirtualClock, host: str, *, seconds: float) -> None:
        self.seconds = seconds
        self._clock = clock
        self._host = host
        self._jobs: dict[int, Job] = {}
        self._keys: dict[str, int] = {}

    def submit(self, tasks: list[Callable[[], Result]], key: str) -> str:
        """Where the job is found; `IDEMPOTENCY_ERROR` names the first job of a key that was used before."""
        if key and key in self._keys:
            detail = "The idempotency key was already used for another request."
            first = f"{JOBS}/{self._keys[key]}"
            raise Refusal("IDEMPOTENCY_ERROR", detail, title="Conflict", location=first)
        number = len(self._jobs) + 1
        self._jobs[number] = Job(number, self._clock.now() + timedelta(seconds=self.seconds), tasks)
        if key:
            self._keys[key] = number
        return f"{JOBS}/{number}"

    def settle(self) -> None:
        for job in self._jobs.values():
            if not job.is_done and job.due_at <= self._clock.now():
                job.results = [task() for task in job.tasks]

    def job(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        job = self._found(arguments)
        failed = any(result.status >= 400 for result in job.results)
        progress = "processing" if not job.is_done else "failed" if failed else "succeeded"
        url = f"{self._host}{JOBS}/{job.number}"
        return {
            "links": [{"rel": "self", "href": url}],
            "completed": job.is_done,
            "id": str(job.number),
            "progress": progress,
            "task": {"links": [{"rel": "self", "href": f"{url}/task"}]},
        }

    def tasks(self, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        job = self._found(arguments)
        return [self._task(job, place) for place in range(1, len(job.tasks) + 1)]

    def task(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        job, place = self._found(arguments), int(arguments["task"])
        if not 1 <= place <= len(job.tasks):
            raise missing(f"task {place}")
        return self._task(job, place)

    def result(self, arguments: Mapping[str, Any]) -> Result:
        job, place = self._found(arguments), int(arguments["task"])
        if not job.is_done or not 1 <= place <= len(job.results):
            raise missing(f"result of task {place}")
        return job.results[place - 1]

    def _task(self, job: Job, place: int) -> dict[str, Any]:
        failed = job.is_done and job.results[place - 1].status >= 400
        href = f"{self._host}{JOBS}/{job.number}/task/{place}"
        return {
            "links": [{"rel": "self", "href": href}],
            "id": str(place),
            "completed": job.is_done,
            "progress": "processing" if not job.is_done else "failed" if failed else "succeeded",
        }

    def _found(self, arguments: Mapping[str, Any]) -> Job:
        job = self._jobs.get(int(arguments["job"]))
        if job is None:
            raise missing(f"{JOBS}/{arguments['job']}")
        return job
