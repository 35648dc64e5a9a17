"""`$batch` as bytes: change sets put together, and the answer taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

_BOUNDARY = re.compile(rb'multipart/mixed;\s*boundary="?([^";\s]+)', re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.\d (\d{3})")
_OUTER = "batch"
CONTENT_TYPE = f"multipart/mixed; boundary={_OUTER}"


@dataclass(frozen=True, slots=True)
class Change:
    """One operation of a change set; its path begins at the service."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


def composed(sets: Sequence[Sequence[Change]]) -> bytes:
    """The body of a batch; no boundary can stand inside of it, for JSON on one line begins no line with dashes."""
    parts = (_change_set(changes, f"set{number}") for number, changes in enumerate(sets))
    return b"".join(b"--%b\r\n%b\r\n" % (_OUTER.encode(), part) for part in parts) + b"--%b--\r\n" % _OUTER.encode()


def taken_apart(content_type: str, body: bytes) -> list[list[Answer]]:
    """The answers of each change set, one where it was refused; what was cut off is left out."""
    return [
        [_answer(each) for each in _split(part.partition(b"\r\n\r\n")[2], found[1])] if found else [_answer(part)]
        for part in _split(body, _boundary(content_type.encode()))
        for found in [_BOUNDARY.search(part.partition(b"\r\n\r\n")[0])]
    ]


def _change_set(changes: Iterable[Change], boundary: str) -> bytes:
    text = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n" % boundary.encode()
    for change in changes:
        body = b"" if change.body is None else msgspec.json.encode(change.body)
        headers = {"Accept": "application/json", "Content-Type": "application/json", **change.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        text += (
            f"--{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
            f"{change.method} {change.path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
        ).encode() + b"%b\r\n" % body
    return text + f"--{boundary}--\r\n".encode()


def _boundary(content_type: bytes) -> bytes:
    found = _BOUNDARY.search(content_type)
    return found[1] if found else b""


def _split(body: bytes, boundary: bytes) -> list[bytes]:
    """Parts that a boundary ends."""
    return [part.strip(b"\r\n") for part in body.split(b"--" + boundary)[1:-1]] if boundary else []


def _answer(part: bytes) -> Answer:
    http = part.partition(b"\r\n\r\n")[2]
    found = _STATUS.match(http)
    return Answer(int(found[1]) if found else 0, http.partition(b"\r\n\r\n")[2].strip())
