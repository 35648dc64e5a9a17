"""Where the files lie: a folder of this machine, or one behind SFTP. A visit is one connection, and one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from sync_pipelines.engine.port import Calls
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater

PATIENCE = 60.0
"""Seconds that one transfer may take."""
Told = TypeVar("Told")


class Folder(Protocol):
    """What is done during a visit; a path is "in/ORDERS/name"."""

    def names(self, path: str) -> list[str]:
        """What lies in a folder, in no order; nothing where there is no such folder."""
        ...

    def get(self, path: str) -> bytes: ...

    def put(self, path: str, content: bytes) -> None:
        """Under a temporary name, then renamed, never over what is there. `InDoubt`: nobody saw the rename end."""
        ...


class Place(Protocol):
    name: str

    def visit(self) -> AbstractContextManager[Folder]: ...


class Disk(Protocol):
    """What the files of this machine are read and written with, one step a call; it raises `OSError`."""

    def names(self, folder: Path) -> list[str]: ...

    def read(self, path: Path) -> bytes: ...

    def write(self, path: Path, content: bytes) -> None:
        """In a folder that is made where it is missing."""
        ...

    def rename(self, path: Path, to: Path) -> None: ...


class OwnDisk:
    """This machine's own."""

    def names(self, folder: Path) -> list[str]:
        return [each.name for each in folder.iterdir()]

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def rename(self, path: Path, to: Path) -> None:
        if to.exists():
            raise FileExistsError(to)
        path.rename(to)


def place_of(settings: SystemSettings, calls: Calls, *, disk: Disk) -> Place:
    """The place that `url` names: "file:///…", on a disk, or "sftp://user@host:port/…"."""
    url = urlsplit(settings.url)
    if url.scheme == "file" and url.path:
        return _Local(settings.name, Path(unquote(url.path)), calls, disk)
    if url.scheme == "sftp" and url.hostname and url.username:
        return _Sftp(settings, calls)
    raise FixConfiguration(f"url of [systems.{settings.name}] is neither file:///folder nor sftp://user@host/folder")


class _Local:
    def __init__(self, name: str, root: Path, calls: Calls, disk: Disk) -> None:
        self.name, self._root, self._calls, self._disk = name, root, calls, disk

    @contextmanager
    def visit(self) -> Iterator[Folder]:
        if not self._root.is_dir():
            raise FixConfiguration(f"{self.name}: the folder of its url is not there")
        self._calls.count("VISIT")
        yield self

    def names(self, path: str) -> list[str]:
        with self._told(), suppress(FileNotFoundError):
            return self._disk.names(self._root / path)
        return []

    def get(self, path: str) -> bytes:
        with self._told():
            return self._disk.read(self._root / path)

    def put(self, path: str, content: bytes) -> None:
        place, part = self._root / path, self._root / f"{path}.part"
        with self._told():
            self._disk.write(part, content)
            try:
                self._disk.rename(part, place)
            except (FileExistsError, FileNotFoundError, PermissionError):
                raise
            except OSError as error:
                raise InDoubt(f"{self.name}: nobody saw the end of a rename ({type(error).__name__})") from None

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except PermissionError:
            raise FixConfiguration(
                f"{self.name}: a folder may not be read or written: give its user the right"
            ) from None
        except FileNotFoundError as error:
            if isinstance(error.filename, str | Path) and Path(error.filename).suffix:
                raise RetryLater(f"{self.name}: a file was moved while it was read") from None
            raise
        except OSError as error:
            raise RetryLater(f"{self.name}: its folder can't be used now ({type(error).__name__})") from None


class _Sftp:
    """Each visit logs in by key, to a host whose key is known."""

    def __init__(self, settings: SystemSettings, calls: Calls) -> None:
        self.name, self._calls = settings.name, calls
        url = urlsplit(settings.url)
        self._root = unquote(url.path).rstrip("/") or "."
        ssh = _asyncssh()
        try:
            self._login: dict[str, Any] = {
                "host": url.hostname,
                "port": url.port or 22,
                "username": unquote(url.username or ""),
                "client_keys": [ssh.import_private_key(settings.option("private_key").replace("\\n", "\n"))],
                "known_hosts": ([ssh.import_public_key(settings.option("host_key"))], [], []),
            }
        except (ssh.KeyImportError, ValueError):
            raise FixConfiguration(
                f"private_key or host_key of [systems.{self.name}] is no key: give an OpenSSH private key, and the "
                "server's public key like 'ssh-ed25519 AAAA…'"
            ) from None

    @contextmanager
    def visit(self) -> Iterator[Folder]:
        self._calls.count("VISIT")
        with asyncio.Runner() as runner:
            link, files = self._call(runner, self._open)
            try:
                yield _Visit(self._root, lambda work: self._call(runner, lambda: work(files)))
            finally:
                link.close()
                with suppress(OSError, TimeoutError):
                    runner.run(asyncio.wait_for(link.wait_closed(), PATIENCE))

    async def _open(self) -> tuple[Any, Any]:
        ssh = _asyncssh()
        options = ssh.SSHClientConnectionOptions(agent_path=None, config=[], connect_timeout=PATIENCE)
        link = await ssh.connect(**self._login, options=options)
        return link, await link.start_sftp_client()

    def _call(self, runner: asyncio.Runner, work: Callable[[], Awaitable[Told]]) -> Told:
        ssh = _asyncssh()
        try:
            return runner.run(_within(work))
        except (ssh.PermissionDenied, ssh.HostKeyNotVerifiable, ssh.SFTPPermissionDenied) as error:
            raise FixConfiguration(
                f"{self.name}: the login, its rights or the host's key are not accepted ({type(error).__name__})"
            ) from None
        except ssh.SFTPNoSuchFile:
            raise FileNotFoundError from None
        except (OSError, TimeoutError, ssh.Error) as error:
            raise RetryLater(f"{self.name}: its SFTP server does not answer ({type(error).__name__})") from None


async def _within(work: Callable[[], Awaitable[Told]]) -> Told:
    return await asyncio.wait_for(_awaited(work), PATIENCE)


async def _awaited(work: Callable[[], Awaitable[Told]]) -> Told:
    return await work()


class _Visit:
    def __init__(self, root: str, run: Callable[[Callable[[Any], Awaitable[Any]]], Any]) -> None:
        self._root, self._run = root, run

    def names(self, path: str) -> list[str]:
        try:
            found: list[str] = self._run(lambda files: files.listdir(f"{self._root}/{path}"))
        except FileNotFoundError:
            return []
        return [name for name in found if name not in (".", "..")]

    def get(self, path: str) -> bytes:
        async def work(files: Any) -> bytes:
            async with files.open(f"{self._root}/{path}", "rb") as file:
                content: bytes = await file.read()
                return content

        try:
            content: bytes = self._run(work)
        except FileNotFoundError:
            raise RetryLater("a file was moved while it was read") from None
        return content

    def put(self, path: str, content: bytes) -> None:
        place = f"{self._root}/{path}"

        async def work(files: Any) -> None:
            await files.makedirs(place.rpartition("/")[0], exist_ok=True)
            async with files.open(f"{place}.part", "wb") as file:
                await file.write(content)
            if await files.exists(place):
                raise FileExistsError(path)

        self._run(work)
        try:
            self._run(lambda files: files.rename(f"{place}.part", place))
        except RetryLater as error:
            raise InDoubt(f"nobody saw the end of a rename: {error}") from None


def _asyncssh() -> Any:
    try:
        import asyncssh
    except ImportError:
        raise FixConfiguration("files over SFTP need asyncssh: install sync-pipelines[ecc]") from None
    return asyncssh
