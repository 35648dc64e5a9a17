"""The demo: a simulated company in the systems of a topology, and one run of the graph over them."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from sync_pipelines import config, planes
from sync_pipelines.engine.topology import Topology
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.sandbox import company
from sync_pipelines.sandbox.erp import DATABASE, PASSWORD, USER, Erp, ErpSeed, close_periods, seed, template
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.store import Store

SECRETS = {
    "SALESFORCE_CLIENT_ID": "sandbox-client",
    "SALESFORCE_CLIENT_SECRET": "sandbox-secret",
    "STRIPE_API_KEY": "sk_test_sandbox",
    "TRYTON_USER": USER,
    "TRYTON_PASSWORD": PASSWORD,
    "CHARGEBEE_API_KEY": "test_sandbox",
    "GAINSIGHT_ACCESS_KEY": "sandbox-key",
    "HUBSPOT_SERVICE_KEY": "pat-na1-sandbox",
    "HUBSPOT_CLIENT_ID": "sandbox-client",
    "HUBSPOT_CLIENT_SECRET": "sandbox-secret",
    "ZENDESK_CLIENT_ID": "sandbox-client",
    "ZENDESK_CLIENT_SECRET": "sandbox-secret",
    "S4HANA_USER": "SYNC",
    "S4HANA_PASSWORD": "sandbox-password",
    "NETSUITE_CLIENT_ID": "sandbox-client",
    "NETSUITE_CERTIFICATE_ID": "sandbox-certificate",
}
"""What the stand-ins take for credentials; they are no secrets."""

Say = Callable[[str], None]


class Progress(Protocol):
    """Where the steps of a run are told; see `terminal.Terminal`."""

    def progress(self, total: int) -> Any: ...


@dataclass(frozen=True, slots=True)
class Setting:
    """Which company a state folder holds, and the file of the topology whose systems it is in."""

    seed: int
    scale: int
    topology: str

    @property
    def has_real_erp(self) -> bool:
        """A real ERP posts about one invoice a second, so a stand-in plays it for a larger company."""
        return self.scale == 1


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo whose systems are up; `environment` is what its topology reads."""

    checkout: Path
    topology: Topology
    environment: Mapping[str, str]
    addresses: Mapping[str, str]
    """The variables that the topology reads: where the systems are, and what they take for credentials."""

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, seed: int, scale: int, fresh: bool, say: Say) -> Iterator[Demo]:
        """Have the company of a seed ready, made anew where the state folder holds another or none."""
        topology, setting = config.load(path, strict=False), Setting(seed, scale, path.name)
        with ExitStack() as stack:
            server = _database(topology, stack, say)
            known = _known(topology.state)
            if fresh or known != setting:
                _clear(topology.state, server)
                _make(topology, server, setting, say)
            yield cls._serving(path, topology, server, setting, stack, say)

    @classmethod
    @contextmanager
    def reopen(cls, path: Path, *, say: Say) -> Iterator[Demo]:
        """The demo of the state folder as it was left."""
        state = config.load(path, strict=False).state
        setting = _known(state)
        if setting is None:
            raise FixConfiguration(f"no demo in {state} yet: run `make demo` first")
        path = path.with_name(setting.topology)
        topology = config.load(path, strict=False)
        with ExitStack() as stack:
            yield cls._serving(path, topology, _database(topology, stack, say), setting, stack, say)

    @classmethod
    def _serving(
        cls, path: Path, topology: Topology, server: Embedded, setting: Setting, stack: ExitStack, say: Say
    ) -> Demo:
        say(f"Starting the systems: {', '.join(topology.systems)}")
        urls = {name: _stand_in(topology.state, name, stack) for name in _stand_ins(setting, topology)}
        if setting.has_real_erp:
            erp = Erp.prepare(topology.state, server)
            stack.callback(erp.stop)
            urls["tryton"] = erp.start()
        else:
            urls["tryton"] += f"/{DATABASE}"
        addresses = {f"{name.upper()}_URL": url for name, url in urls.items()} | secrets(topology.systems)
        own = {"SYNC_STATE": str(topology.state.absolute()), "SYNC_TOPOLOGY": str(path.absolute())}
        return cls(path.absolute().parent, topology, {**os.environ, **addresses, **own}, addresses)

    def run(self, terminal: Progress, *, job: str = "full") -> dict[str, Any]:
        """Run a job of the graph in a process of its own, telling each step; returns the run's summary."""
        log = self.topology.state / "dagster.log"
        command = [sys.executable, "definitions.py", job]
        with (
            log.open("w") as errors,
            subprocess.Popen(
                command, cwd=self.checkout, env=dict(self.environment), stdout=subprocess.PIPE, stderr=errors, text=True
            ) as child,
        ):
            ended = _follow(child, terminal)
        summary_file = self.topology.state / "summary.json"
        if not ended.get("run") or not summary_file.exists():
            raise FixConfiguration(f"the graph did not start; the reason is in {log}")
        summary: dict[str, Any] = json.loads(summary_file.read_text())
        return summary | {"success": bool(ended.get("success"))}

    def serve_ui(self, port: int) -> int:
        """Serve the Dagster UI, its daemon and the code on 127.0.0.1 until Ctrl-C."""
        home = self.topology.state.absolute() / "dagster"
        if not (home / "dagster.yaml").exists():
            raise FixConfiguration(f"no run in {self.topology.state} yet: run `make demo` first")
        command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
        child = subprocess.Popen(
            command,
            cwd=self.checkout,
            env={**self.environment, "DAGSTER_HOME": str(home)},
            start_new_session=True,
        )
        try:
            return child.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            # It ignores an interrupt as a background job would, but ends its children cleanly on this one.
            child.send_signal(signal.SIGTERM)
            child.wait()


def _follow(child: subprocess.Popen[str], terminal: Progress) -> dict[str, Any]:
    """Tell the launcher's lines as they come: the first has the number of steps, the last how it ended."""
    assert child.stdout is not None
    first: dict[str, Any] = json.loads(child.stdout.readline() or "{}")
    with terminal.progress(first.get("steps", 0)) as tell:
        for text in child.stdout:
            line = json.loads(text)
            if "step" in line:
                tell(line)
            else:
                first |= line
    return first


def _database(topology: Topology, stack: ExitStack, say: Say) -> Embedded:
    say("Starting PostgreSQL")
    stack.enter_context(planes.server(topology))
    return planes.embedded(topology)


def _stand_ins(setting: Setting, topology: Topology) -> list[str]:
    return [name for name in topology.systems if not (name == "tryton" and setting.has_real_erp)]


def secrets(systems: Collection[str]) -> dict[str, str]:
    """What the stand-ins of systems take for credentials."""
    told = {name: value for name, value in SECRETS.items() if name.partition("_")[0].lower() in systems}
    if "netsuite" in systems:
        from sync_pipelines.sandbox.netsuite import private_key

        told["NETSUITE_PRIVATE_KEY"] = private_key()
    return told


def _store(state: Path, name: str) -> Path:
    return state / "sandbox" / f"{name}.db"


def _stand_in(state: Path, name: str, stack: ExitStack) -> str:
    store = Store(_store(state, name))
    stack.callback(store.close)
    sandbox = open_sandbox(name, store)
    if isinstance(sandbox.vendor, Filed):
        return _files(sandbox.vendor, _store(state, name).with_suffix(""))
    return stack.enter_context(serve(sandbox)).url


@runtime_checkable
class Filed(Protocol):
    """A stand-in that is reached by files alone."""

    folder: Path

    def move(self, folder: Path) -> None: ...

    def admin(self, action: str, body: Any) -> Any: ...


def _files(vendor: Filed, folder: Path) -> str:
    """Its files in a folder that stays; the batch job runs as it would have in the night before."""
    shutil.rmtree(vendor.folder)
    vendor.move(folder.absolute())
    vendor.admin("window", None)
    return vendor.folder.as_uri()


def _marker(state: Path) -> Path:
    return state / "demo.json"


def _known(state: Path) -> Setting | None:
    marker = _marker(state)
    try:
        return msgspec.json.decode(marker.read_bytes(), type=Setting)
    except (FileNotFoundError, msgspec.ValidationError):
        return None


def _clear(state: Path, server: Embedded) -> None:
    """Forget the company of before; the ERP's templates stay."""
    _marker(state).unlink(missing_ok=True)
    Erp(state.absolute() / "erp", server).stop()
    for database in (planes.DATABASE, planes.DAGSTER_DATABASE, DATABASE):
        server.drop(database)
    for folder in ("lake", "sandbox", "truth", "reports", "dagster"):
        shutil.rmtree(state / folder, ignore_errors=True)


def _make(topology: Topology, server: Embedded, setting: Setting, say: Say) -> None:
    """Make the company; the marker comes last, so an interrupted making starts over."""
    state = topology.state
    say(
        f"Simulating company {setting.seed}: customers, deals, contracts, invoices, and what goes wrong between systems"
    )
    made = company.generate(setting.seed, setting.scale)
    company.write_truth(made, state / "truth")
    (state / "sandbox").mkdir(parents=True, exist_ok=True)
    for name in _stand_ins(setting, topology):
        store = Store(_store(state, name))
        importlib.import_module(f"sync_pipelines.sandbox.{name}").seed(store, company.told(made.facts, name))
        store.close()
    if setting.has_real_erp:
        make_erp(state, server, made.erp, say)
    _marker(state).write_bytes(msgspec.json.encode(setting))


def make_erp(state: Path, server: Embedded, rows: Mapping[str, list[dict[str, Any]]], say: Say) -> None:
    """Fill the ERP with what it knows at first, and keep that as a template, so that the next time takes seconds."""
    say("Setting up the ERP (about a minute, once)")
    Erp.prepare(state, server, progress=say)
    content = hashlib.sha256(json.dumps(rows, sort_keys=True, default=str).encode()).hexdigest()[:12]

    def fill(name: str) -> None:
        server.drop(name)
        server.create_from_template(name, template())
        erp = Erp(state.absolute() / "erp", server, database=name)
        try:
            url = erp.start()
            seed(url, ErpSeed(**rows), progress=lambda what, done, total: say(f"ERP: {what} {done} of {total}"))
            close_periods(url)
        finally:
            erp.stop()

    seeded = f"{template()}_{content}"
    server.ensure_template(seeded, fill)
    server.drop(DATABASE)
    server.create_from_template(DATABASE, seeded)
