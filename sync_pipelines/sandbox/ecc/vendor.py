"""The stand-in as `sandbox.app` holds one: the system itself has no HTTP, so all there is are its control routes."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.ecc.books import FOLDERS, Books, Settings
from sync_pipelines.sandbox.ecc.job import extract, run_window
from sync_pipelines.sandbox.ecc.posting import reprocess
from sync_pipelines.sandbox.ecc.sftp import SftpServer
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.store import Document, Store


class Ecc:
    """The folder and the books behind it. `GET /` tells where the folder is, and what the SFTP server needs."""

    name = "ecc"
    routes = Map([Rule("/", endpoint="where")])

    def __init__(self, store: Store, *, clock: VirtualClock, faults: FaultPlan, folder: Path) -> None:
        self.settings = Settings()
        self.sftp: SftpServer | None = None
        self._store, self._clock, self._faults = store, clock, faults
        self.move(folder)

    @property
    def books(self) -> Books:
        return Books(self._store, self._clock, self._faults, self.folder, self.settings)

    def move(self, folder: Path) -> None:
        """Work on another folder; what it lacks is made."""
        self.folder = folder
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)

    def answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Response:
        told = {"folder": str(self.folder), **(self.sftp.told if self.sftp else {})}
        return Response("".join(f"{name}={value}\n" for name, value in told.items()), mimetype="text/plain")

    def unknown(self, request: Request, error: HTTPException) -> Response:
        return Response("this system is reached by files alone: GET / tells where they lie\n", error.code or 404)

    def expire_tokens(self) -> None:
        """There are no tokens: a key is valid until an administrator takes it away."""

    def admin(self, action: str, body: Any) -> Any:
        """`window` runs the batch job, `extract` writes full extracts; the others are people's work."""
        match action:
            case "window":
                return run_window(self.books)
            case "extract":
                return extract(self.books, full=True)
            case "put":
                return self.books.put(body["interface"], body["row"])
            case "delete":
                return self.books.remove(body["interface"], body["number"])
            case "reprocess":
                return reprocess(self.books)
            case "settings":
                self.settings = replace(self.settings, **_known(body))
                return None
            case "sftp":
                self.sftp = self.sftp or SftpServer(self.folder).start()
                return dict(self.sftp.told)
        raise LookupError(
            f"no administrator's action {action}: window, extract, put, delete, reprocess, settings, sftp"
        )


def _known(body: Document) -> dict[str, Any]:
    if unknown := body.keys() - {field.name for field in fields(Settings)}:
        raise LookupError(f"no setting {sorted(unknown)[0]}")
    return dict(body)


def open_vendor(store: Store, *, clock: VirtualClock, faults: FaultPlan) -> Ecc:
    """The ERP on a new folder, which ends with it; `move` takes it to one of your own."""
    folder = Path(tempfile.mkdtemp(prefix="ecc-"))
    made = Ecc(store, clock=clock, faults=faults, folder=folder)
    weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made
