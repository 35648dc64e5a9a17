"""A company in three systems, and real processes of the command over it that can be made to die at any moment."""

from __future__ import annotations

import importlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from witness import TrytonRecords, tryton_client

from sync_pipelines.ledger import Ledger
from sync_pipelines.sandbox import company
from sync_pipelines.sandbox.app import Dropped
from sync_pipelines.sandbox.demo import SECRETS
from sync_pipelines.sandbox.erp import DATABASE
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.store import Store

CHECKOUT = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).with_name("sync-pipelines"))
NOTHING = {"confirmed": 0, "refused": 0, "in_doubt": 0, "failed": 0}
_TOPOLOGY = CHECKOUT / "sync.toml"

IDENTITY: dict[str, dict[str, Callable[[Any], Any]]] = {
    "salesforce": {
        "Account": lambda row: (row["AccountNumber"], row["BillingCity"], row["IsDeleted"]),
        "Contract": lambda row: (row["ContractNumber"], row["Status"]),
        "Entitlement": lambda row: (row["Entitlement_Number__c"], row["Quantity__c"], row["Sync_Id__c"]),
    },
    "stripe": {
        "customer": lambda row: (row["name"], row["metadata"].get("customer_number"), row["metadata"].get("sync_id")),
        "product": lambda row: (row["metadata"]["sku"], row["metadata"].get("sync_id")),
        "price": lambda row: (row["product"], row["lookup_key"], row["currency"], row["unit_amount"], row["active"]),
        "subscription": lambda row: (row["metadata"]["contract_number"], row["cancel_at"], row["status"]),
        "invoice": lambda row: (row["number"], row["total"]),
    },
    "tryton": {
        "party.party": lambda row: (row["code"], row["name"], row["active"]),
        "party.address": lambda row: (row["street"], row["city"], row["postal_code"]),
        "party.identifier": lambda row: row["code"],
        "party.contact_mechanism": lambda row: (row["type"], row["value"]),
        "product.template": lambda row: (row["code"], row["name"], row["list_price"]),
        "sale.sale": lambda row: (row["reference"], row["state"], row["untaxed_amount_cache"]),
        "account.invoice": lambda row: (row["number"], row["state"], row["total_amount_cache"]),
    },
}
"""What of each document must come out the same, whoever made it and when: never an id that a system gives."""


@dataclass(frozen=True)
class Deadly:
    """The moment at which a process gets a signal.

    `told` is a step that it says it has made. `route` is a request that it sends ("METHOD /path", and the method
    of a remote call behind it), `nth` which one of them: the
    signal comes before the vendor gets it, and it never does ("before"); when the vendor has done it and the
    reply is on its way ("after"); or before it, and the vendor does it when a later process sends the same one
    again ("late").
    """

    domains: tuple[str, ...] = ()
    """What the run is about; everything where nothing is named."""
    told: str = ""
    route: str = ""
    nth: int = 1
    seconds: float | None = None
    """When it comes by the clock: after so long, whatever the process is doing then."""
    when: str = "after"
    by: signal.Signals = signal.SIGKILL


class Trap:
    """A stand-in that strikes while it serves a chosen request."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._lock = threading.Lock()
        self._deadly: Deadly | None = None
        self._strike: Callable[[], None] = lambda: None
        self._seen = 0
        self._held: tuple[str, threading.Event, threading.Event] | None = None

    def set(self, deadly: Deadly, strike: Callable[[], None]) -> None:
        self._deadly, self._strike, self._seen = deadly, strike, 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(size)
        if len(body) < size:
            raise Dropped("the process died while it was sending")
        environ["wsgi.input"] = io.BytesIO(body)
        subject = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        if subject.endswith("/rpc/"):
            subject += json.loads(body)["method"]
        self._let_go(subject)
        deadly = self._struck(subject)
        if deadly is None:
            return list(self.app(environ, start_response))
        if deadly.when == "after":
            answer = list(self.app(environ, start_response))
            self._strike()
            return answer
        if deadly.when == "before":
            self._strike()
            raise Dropped("the process is gone, and its request with it")
        return self._hold(subject, lambda: list(self.app(environ, start_response)))

    def _struck(self, subject: str) -> Deadly | None:
        with self._lock:
            deadly = self._deadly
            if deadly is None or not deadly.route or not re.search(deadly.route, subject):
                return None
            self._seen += 1
            if self._seen != deadly.nth:
                return None
            self._deadly = None
            return deadly

    def _hold(self, subject: str, answer: Callable[[], Any]) -> Any:
        """Strike, and answer only when somebody sends such a request again."""
        asked, done = threading.Event(), threading.Event()
        self._held = (subject, asked, done)
        self._strike()
        assert asked.wait(120), f"nobody sent {subject} again"
        try:
            return answer()
        finally:
            done.set()

    def _let_go(self, subject: str) -> None:
        held = self._held
        if held is not None and held[0] == subject:
            self._held = None
            held[1].set()
            assert held[2].wait(120)


@dataclass(frozen=True)
class Ended:
    """A process that is no more."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.out)
        return told


class World:
    """A company in three stand-ins, and the planes of one topology over it."""

    def __init__(
        self, made: company.Company, database_url: str, folder: Path, stack: ExitStack, *, erp_url: str = ""
    ) -> None:
        self.folder = folder
        self.database_url = database_url
        self.erp_url = erp_url
        self.stores: dict[str, Store] = {}
        self.traps: dict[str, Trap] = {}
        urls = {"TRYTON_URL": erp_url} if erp_url else {}
        played = {"salesforce": made.salesforce, "stripe": made.stripe, "tryton": made.erp}
        for name, told in played.items():
            if name == "tryton" and erp_url:
                continue
            self.stores[name] = Store(None)
            importlib.import_module(f"sync_pipelines.sandbox.{name}").seed(self.stores[name], told)
            self.traps[name] = Trap(open_sandbox(name, self.stores[name]))
            running: Any = serve(self.traps[name])  # type: ignore[arg-type]
            urls[f"{name.upper()}_URL"] = stack.enter_context(running).url
        urls["TRYTON_URL"] += "" if erp_url else f"/{DATABASE}"
        self.seeded = {name: store.writes for name, store in self.stores.items()}
        topology = folder / "sync.toml"
        quick = "calls_per_second = 1000\nsettling_seconds = 1"
        topology.write_text(re.sub(r"calls_per_second = \d+", quick, _TOPOLOGY.read_text()))
        own = {"SYNC_TOPOLOGY": str(topology), "SYNC_STATE": str(folder), "DATABASE_URL": database_url}
        self.environment = {**os.environ, **SECRETS, **urls, **own, "COLUMNS": "200"}

    def run(self, *arguments: str, until: Deadly | None = None) -> Ended:
        """Run the command in a process of its own, to its end or until something deadly happens."""
        with tempfile.TemporaryFile("w+") as out:
            process = subprocess.Popen(
                [COMMAND, *arguments, "--json"],
                cwd=CHECKOUT,
                env=self.environment,
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
            )

            def strike() -> None:
                assert until is not None
                process.send_signal(until.by)
                if until.by is signal.SIGKILL:
                    process.wait()

            for trap in self.traps.values():
                trap.set(until or Deadly(), strike)
            timer = threading.Timer(until.seconds, strike) if until and until.seconds is not None else None
            if timer is not None:
                timer.start()
            with process:
                assert process.stderr is not None
                err = []
                for line in process.stderr:
                    err.append(line)
                    if until is not None and until.told and line[2:].split(" ")[0].strip() == until.told:
                        strike()
                if timer is not None:
                    timer.cancel()
                    timer.join()
                out.seek(0)
            return Ended(process.returncode, out.read(), "".join(err))

    def run_at_once(self, *commands: Sequence[str]) -> list[Ended]:
        """Run several commands in processes that start together."""
        with ThreadPoolExecutor(len(commands)) as pool:
            return list(pool.map(lambda command: self.run(*command), commands))

    @property
    def writes(self) -> dict[str, int]:
        """Documents that the stand-ins have written since they are up."""
        return {name: store.writes - self.seeded[name] for name, store in self.stores.items()}

    @property
    def holds(self) -> dict[tuple[str, str], Counter[Any]]:
        """What the systems hold, in business terms, and how often."""
        played = {
            (system, table): Counter(map(identity, self.stores[system].all(table)))
            for system, tables in IDENTITY.items()
            if system in self.stores
            for table, identity in tables.items()
        }
        return played | self._held_by_the_real_erp()

    def _held_by_the_real_erp(self) -> dict[tuple[str, str], Counter[Any]]:
        if not self.erp_url:
            return {}
        with tryton_client(self.erp_url, SECRETS) as client:
            found = TrytonRecords(client).read()
        return {("tryton", name): Counter(map(repr, rows.values())) for name, rows in found.items()}

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        return {name: {table: store.count(table) for table in store.tables()} for name, store in self.stores.items()}

    @property
    def exceptions(self) -> Counter[tuple[str, str, str, str]]:
        with Ledger.open(self.database_url) as ledger:
            assert ledger.verify_audit() is None
            return Counter((i.domain, i.kind, i.owner, i.label) for i in ledger.open_work_items())
