"""Puts a vendor, a store, a clock and a fault plan together, and serves them as a process of their own."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from pathlib import Path

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.store import Store

VENDORS = (
    "chargebee",
    "ecc",
    "gainsight",
    "hubspot",
    "netsuite",
    "s4hana",
    "salesforce",
    "stripe",
    "tryton",
    "zendesk",
)


def open_sandbox(
    vendor: str,
    store: Store | None = None,
    *,
    clock: VirtualClock | None = None,
    faults: FaultPlan | None = None,
) -> Sandbox:
    """A stand-in ready to serve; what isn't given is in memory, in real time and without faults."""
    if vendor not in VENDORS:
        raise ValueError(f"no stand-in for {vendor!r}; there are: {', '.join(VENDORS)}")
    module = importlib.import_module(f"sync_pipelines.sandbox.{vendor}")
    store, clock, faults = store or Store(None), clock or VirtualClock(), faults or FaultPlan()
    return Sandbox(module.open_vendor(store, clock=clock, faults=faults), store, clock=clock, faults=faults)


def run(vendor: str, *, port: int = 0, state: Path | None = None) -> None:
    """Serve on 127.0.0.1 until SIGINT or SIGTERM; records live in the file `state`, or in memory."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    store = Store(state)
    with serve(open_sandbox(vendor, store), port) as running:
        sys.stdout.write(f"{vendor} sandbox at {running.url}\n")
        sys.stdout.flush()
        ended.wait()
    store.close()
