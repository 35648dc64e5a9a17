"""A stand-in on a loopback port: HTTP/1.1 with keep-alive, chunked bodies, and replies that never come."""

from __future__ import annotations

import logging
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sync_pipelines.sandbox.app import Dropped, Sandbox


class _Connection(WSGIRequestHandler):
    """HTTP/1.1 with keep-alive: the whole request is read first, the whole reply is sent in one piece."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def run_wsgi(self) -> None:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        started: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            started.extend((status, dict(headers)))

        try:
            body = b"".join(self.server.app(self.make_environ(), start))
        except Dropped:
            self._reset()
            return
        status, headers = started
        self.send_response(int(status[:3]), status[4:])
        bodiless = self.command == "HEAD" or status[:3] in ("204", "304")
        if not bodiless:
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if not bodiless:
            self.wfile.write(body)
        self.wfile.flush()

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log(self, type: str, message: str, *args: Any) -> None:
        logging.getLogger(__name__).debug(message, *args)


@dataclass(frozen=True, slots=True)
class Running:
    """A stand-in that listens; `stop` ends it and waits until its port is free."""

    url: str
    port: int
    server: BaseWSGIServer
    thread: threading.Thread

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve(app: Sandbox, port: int = 0) -> Running:
    """Serve on 127.0.0.1 from a daemon thread; port 0 takes a free one."""
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Connection)
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(
        target=server.serve_forever,
        kwargs={"poll_interval": 0.05},
        name=f"sandbox-{server.port}",
        daemon=True,
    )
    thread.start()
    return Running(f"http://127.0.0.1:{server.port}", server.port, server, thread)
