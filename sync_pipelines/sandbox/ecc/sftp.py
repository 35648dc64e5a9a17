"""An SFTP server over the folder: keys only, on 127.0.0.1; it renames nothing over what is there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import asyncssh


class SftpServer:
    """Serves a folder from a thread of its own; `told` is what a client has to know."""

    def __init__(
        self, folder: Path, *, user: str = "sync", files: type[asyncssh.SFTPServer] = asyncssh.SFTPServer
    ) -> None:
        self._folder, self._user, self._files = folder, user, files
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._user_key = asyncssh.generate_private_key("ssh-ed25519")
        self._thread = threading.Thread(target=self._serve, name="sftp", daemon=True)
        self._ready = threading.Event()
        self._stop: Callable[[], object] = lambda: None
        self.port = 0

    @property
    def told(self) -> Mapping[str, str]:
        return {
            "url": f"sftp://{self._user}@127.0.0.1:{self.port}/",
            "host_key": self._host_key.export_public_key().decode().strip(),
            "private_key": self._user_key.export_private_key().decode(),
        }

    def start(self) -> SftpServer:
        self._thread.start()
        self._ready.wait()
        return self

    def stop(self) -> None:
        self._stop()
        self._thread.join()

    def _serve(self) -> None:
        asyncio.run(self._listen())

    async def _listen(self) -> None:
        known = asyncssh.import_authorized_keys(self._user_key.export_public_key().decode())
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[self._host_key],
            authorized_client_keys=known,
            sftp_factory=lambda channel: self._files(channel, chroot=str(self._folder).encode()),
        )
        self.port = server.get_port()
        ended = asyncio.Event()
        self._stop = partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set)
        self._ready.set()
        await ended.wait()
        server.close()
        await server.wait_closed()
