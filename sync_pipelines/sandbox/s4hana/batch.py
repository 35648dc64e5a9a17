"""`$batch`: reads that stand alone, and change sets of which all is stored or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus

from sync_pipelines.sandbox.s4hana.call import Answer, Operation
from sync_pipelines.sandbox.s4hana.refusal import Refusal, invalid
from sync_pipelines.sandbox.store import Store

BOUNDARY, INNER = "ejjeeffe0", "ejjeeffe1"
_LINE = re.compile(rb"(\w+) (\S+) HTTP/1\.1")


class Batch:
    """Takes a batch apart, has its operations answered, and puts the answers together."""

    def __init__(
        self, store: Store, service: str, act: Callable[[Operation], Answer], refuse: Callable[[Refusal], Answer]
    ) -> None:
        self._store = store
        self._service = service
        self._act = act
        self._refuse = refuse

    def answer(self, content_type: str, body: bytes) -> Answer:
        parts = [self._part(part) for part in _parts(content_type, body)]
        return Answer(202, _joined(parts, BOUNDARY), {"Content-Type": f"multipart/mixed; boundary={BOUNDARY}"})

    def _part(self, part: Message) -> bytes:
        if part.get_content_maintype() != "multipart":
            operation = self._operation(part)
            if operation.method != "GET":
                return _http(self._refuse(invalid("A change must be part of a change set")))
            return _http(self._done(operation))
        try:
            with self._store.transaction():
                told = [_http(self._act(self._operation(each))) for each in _payload(part)]
        except Refusal as refusal:
            return _http(self._refuse(refusal))
        whole = _joined(told, INNER)
        head = f"Content-Type: multipart/mixed; boundary={INNER}\r\nContent-Length: {len(whole)}\r\n\r\n"
        return head.encode() + whole

    def _done(self, operation: Operation) -> Answer:
        try:
            return self._act(operation)
        except Refusal as refusal:
            return self._refuse(refusal)

    def _operation(self, part: Message) -> Operation:
        raw = part.get_payload(decode=True)
        if part.get_content_type() != "application/http" or not isinstance(raw, bytes):
            raise invalid("A part of the batch is no HTTP request")
        head, _, body = raw.replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")
        line, _, rest = head.partition(b"\n")
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise invalid("A part of the batch has no request line")
        pairs = (each.partition(":") for each in rest.decode().splitlines() if ":" in each)
        headers = {name.strip().lower(): text.strip() for name, _, text in pairs}
        method, url = found[1].decode(), found[2].decode()
        return Operation.of_url(method, url, headers, body.strip(b"\n"), service=self._service)


def _parts(content_type: str, body: bytes) -> Iterator[Message]:
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    if message.get_content_type() != "multipart/mixed" or not message.is_multipart():
        raise invalid("The batch is no multipart/mixed body")
    return iter(_payload(message))


def _payload(message: Message) -> list[Message]:
    payload = message.get_payload()
    return [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []


def _joined(parts: list[bytes], boundary: str) -> bytes:
    mark = boundary.encode()
    return b"".join(b"--" + mark + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + mark + b"--\r\n"


def _http(answer: Answer) -> bytes:
    headers = {**answer.headers, "Content-Length": str(len(answer.body))}
    lines = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
    told = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n{lines}\r\n".encode() + answer.body
    outer = (
        f"Content-Type: application/http\r\nContent-Length: {len(told)}\r\ncontent-transfer-encoding: binary\r\n\r\n"
    )
    return outer.encode() + told
