"""One call to the web services, once its caller is known: records, batches, jobs and queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Protocol

import msgspec
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.netsuite import suiteql
from sync_pipelines.sandbox.netsuite.books import Books
from sync_pipelines.sandbox.netsuite.job import Jobs, Result
from sync_pipelines.sandbox.netsuite.refusal import Broken, Refusal, invalid
from sync_pipelines.sandbox.netsuite.schema import Record, Schema
from sync_pipelines.sandbox.netsuite.view import RECORDS, schema_of, shown

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_RESOURCE = "application/vnd.oracle.resource+json"
_COLLECTION = "type=collection"
_ALL: frozenset[str] = frozenset()


class Served(Protocol):
    """What a call works on."""

    schema: Schema
    books: Books
    jobs: Jobs

    def query(self, text: str, params: list[Any]) -> list[dict[str, Any]]: ...


class Call:
    """One call, once its caller is known."""

    def __init__(self, vendor: Served, request: Request, arguments: Mapping[str, Any]) -> None:
        self.vendor = vendor
        self.books = vendor.books
        self.request = request
        self.arguments = arguments
        self.strict = request.headers.get("X-NetSuite-PropertyNameValidation", "").lower() == "error"
        self.replace = frozenset(filter(None, request.args.get("replace", "").split(",")))
        self.is_async = "respond-async" in request.headers.get("Prefer", "")

    def answer(self, endpoint: str) -> Response:
        match endpoint:
            case "query":
                return self._query()
            case "describe":
                return encoded(schema_of(self._record()))
            case "job":
                return encoded(self.vendor.jobs.job(self.arguments))
            case "tasks":
                return self._page(self.vendor.jobs.tasks(self.arguments))
            case "task":
                return encoded(self.vendor.jobs.task(self.arguments))
            case "result":
                return _answered(self.vendor.jobs.result(self.arguments))
            case "listing":
                return self._listing()
            case "read":
                return self._read()
        return self._write(endpoint)

    def _write(self, endpoint: str) -> Response:
        body = {} if endpoint == "delete" else self._body()
        many = endpoint.endswith("_many") or (endpoint == "create" and self._is_collection())
        if not many:
            task = self._task(endpoint, self.arguments.get("key", ""), body)
            return self._submitted([task]) if self.is_async else _answered(task())
        if not self.is_async or not self._is_collection():
            raise Refusal("INVALID_HEADER", "Batch operations need Prefer: respond-async and type=collection.")
        items, most = body.get("items"), self.vendor.schema.behaviour.batch_max
        if not isinstance(items, list) or not 0 < len(items) <= most:
            raise invalid(f"A batch holds 1 to {most} records in items.", "items")
        single = endpoint.removesuffix("_many")
        return self._submitted([self._task(single, _key_of(item, single), item) for item in items])

    def _task(self, endpoint: str, key: str, body: Mapping[str, Any]) -> Callable[[], Result]:
        record = self._record()
        how = {"strict": self.strict}
        act: Callable[[], str | None]
        match endpoint:
            case "create":
                act = partial(self.books.create, record, body, **how)
            case "update":
                act = partial(self.books.update, record, key, body, replace=self.replace, **how)
            case "upsert":
                external_id = key.removeprefix("eid:")
                if external_id == key:
                    raise invalid("PUT takes an external id: /eid:…", "id")
                told = {name: value for name, value in body.items() if name != "externalId"}
                act = partial(self.books.upsert, record, external_id, told, replace=self.replace, **how)
            case "delete":
                act = partial(self.books.delete, record, key)
            case _:
                record, source = self._record("target"), record
                act = partial(self.books.transform, source, key, record, body, **how)
        return partial(self._carried_out, record, act)

    def _carried_out(self, record: Record, act: Callable[[], str | None]) -> Result:
        try:
            with self.books.store.transaction():
                identity = act()
        except Broken as broken:
            refusal = broken.refusal(self.vendor.schema.behaviour.refusal)
            return Result(refusal.status, refusal.body)
        except Refusal as refusal:
            return Result(refusal.status, refusal.body)
        host = self.vendor.schema.account.host
        return Result(204, location=f"{host}{RECORDS}/{record.name}/{identity}" if identity else "")

    def _submitted(self, tasks: list[Callable[[], Result]]) -> Response:
        location = self.vendor.jobs.submit(tasks, self.request.headers.get("X-NetSuite-Idempotency-Key", ""))
        return Response(status=202, headers={"Preference-Applied": "respond-async", "Location": location})

    def _query(self) -> Response:
        if "transient" not in self.request.headers.get("Prefer", ""):
            detail = "The required request header 'Prefer' is missing or invalid: it has to be transient."
            raise Refusal("INVALID_HEADER", detail, place=("HeaderName", "Prefer"))
        body = self._body()
        if set(body) - {"q", "params"} or not isinstance(body.get("q"), str):
            raise invalid("A query is given as q, its values as params.", "q")
        return self._page(self.vendor.query(body["q"], body.get("params") or []))

    def _listing(self) -> Response:
        record, args = self._record(), self.request.args
        if unknown := set(args) - {"q", "limit", "offset", "expandRecords", "ids"}:
            raise Refusal("INVALID_PARAMETER", f"Unknown parameter {sorted(unknown)[0]}.")
        if "q" in args:
            raise Refusal("INVALID_PARAMETER", "This stand-in filters by SuiteQL only.", place=("QueryParam", "q"))
        if args.get("expandRecords") == "true":
            keys = args.get("ids", "").split(",")
            rows = [shown(self.books, record, self.books.get(record, key), expand=True, only=_ALL) for key in keys]
            return self._page(rows)
        host = self.vendor.schema.account.host
        rows = [
            {"links": [{"rel": "self", "href": f"{host}{RECORDS}/{record.name}/{row['id']}"}], "id": row["id"]}
            for row in self.books.all(record)
        ]
        return self._page(rows)

    def _read(self) -> Response:
        record, args = self._record(), self.request.args
        row = self.books.get(record, self.arguments["key"])
        only = frozenset(filter(None, args.get("fields", "").split(",")))
        expand = args.get("expandSubResources") == "true"
        return encoded(shown(self.books, record, row, expand=expand, only=only))

    def _page(self, rows: list[dict[str, Any]]) -> Response:
        most, args = self.vendor.schema.behaviour.page_max, self.request.args
        try:
            limit, offset = int(args.get("limit", most)), int(args.get("offset", 0))
        except ValueError:
            raise Refusal("INVALID_PARAMETER", "limit and offset are numbers.", place=("QueryParam", "limit")) from None
        if not 1 <= limit <= most:
            raise Refusal("INVALID_PARAMETER", f"The limit has to be 1 to {most}.", place=("QueryParam", "limit"))
        if offset < 0 or offset % limit:
            detail = f"The offset {offset} has to be divisible by the limit {limit}."
            raise Refusal("INVALID_PARAMETER", detail, place=("QueryParam", "offset"))
        url = f"{self.vendor.schema.account.host}{self.request.path}"
        return encoded(suiteql.page(rows, limit=limit, offset=offset, url=url))

    def _record(self, argument: str = "record") -> Record:
        record = self.vendor.schema.record(self.arguments[argument])
        if record is None:
            raise Refusal("NONEXISTENT_ID", f"Record '{self.arguments[argument]}' was not found.", status=404)
        return record

    def _is_collection(self) -> bool:
        return _COLLECTION in self.request.headers.get("Content-Type", "").replace(" ", "")

    def _body(self) -> dict[str, Any]:
        kind = self.request.mimetype
        if self.request.get_data() and kind not in ("application/json", _RESOURCE):
            raise Refusal("UNSUPPORTED_MEDIA_TYPE", f"Content type not supported: {kind or 'none'}.", status=415)
        try:
            body = _DECODER.decode(self.request.get_data() or b"{}")
        except msgspec.DecodeError as error:
            raise invalid(f"Invalid content in the request body: {error}.") from None
        if not isinstance(body, dict):
            raise invalid("The request body is not an object.")
        return body


def _key_of(item: Any, endpoint: str) -> str:
    """How a record of a batch is named: by its id, or by its external id."""
    if not isinstance(item, dict):
        raise invalid("A record of the batch is not an object.", "items")
    if endpoint == "update" and "id" in item:
        return str(item["id"])
    if endpoint != "create" and not item.get("externalId"):
        raise invalid("A record of the batch has neither an id nor an external id.", "items")
    return f"eid:{item.get('externalId', '')}"


def encoded(body: Any, status: int = 200) -> Response:
    return Response(_ENCODER.encode(body), status, content_type=f"{_RESOURCE}; type=singular")


def refused(refusal: Refusal) -> Response:
    response = Response(_ENCODER.encode(refusal.body), refusal.status, content_type=f"{_RESOURCE}; type=error")
    if refusal.location:
        response.headers["Location"] = refusal.location
    return response


def _answered(result: Result) -> Response:
    if result.body is not None:
        return Response(_ENCODER.encode(result.body), result.status, content_type=f"{_RESOURCE}; type=error")
    response = Response(status=result.status)
    if result.location:
        response.headers["Location"] = result.location
    return response
