"""Salesforce behind the port: SOQL by keyset to read, collections with an external id to write."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from http.client import OK
from typing import Any
from urllib.parse import urlencode

import msgspec
import requests

from sync_pipelines.clock import Clock
from sync_pipelines.engine.port import (
    ANY,
    Counting,
    Cursor,
    Deletes,
    Found,
    Locking,
    Merges,
    Operation,
    Outcome,
    Page,
    Passport,
    Rate,
    Request,
    Shape,
    State,
)
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, InDoubt, MalformedPage, RetryLater, SetAside
from sync_pipelines.systems.auth import ClientCredentials
from sync_pipelines.systems.budget import Turns
from sync_pipelines.systems.http import Wire, pooled_session
from sync_pipelines.systems.pagination import Keyset
from sync_pipelines.systems.passport import configured
from sync_pipelines.systems.salesforce import answer, soql
from sync_pipelines.systems.splitting import Split, Splitter

EXTERNAL_ID = "Sync_Id__c"
"""The unique external-id field that every synchronised object carries."""

DATA = f"/services/data/v{answer.API_VERSION}"
PAGE_MAX = 2000
BATCH_MAX = 200
LOCK_WAITS = (1.0, 2.0)
LOOKS_MAX = 5
"""Queries in one composite call."""
RETRIES_MAX = 40
"""Rows of one write that are sent a second time, at most."""
_ORGANIZATION = re.compile(r"/id/(00D\w{15})/")
_PARENTS = ("AccountId", "OpportunityId", "ContractId", "Pricebook2Id", "Product2Id")

PASSPORT = Passport(
    api_version=answer.API_VERSION,
    retires_on=date(2029, 6, 15),
    page_max=PAGE_MAX,
    late_seconds=1200,
    grain_seconds=1,
    is_ordered=True,
    deletes=Deletes.IN_PAGES,
    merges=Merges.IN_PAGES,
    counting=Counting.EXACT,
    looks_at=LOOKS_MAX,
    batch_max=BATCH_MAX,
    batch_atomic=False,
    locking=Locking.REREAD,
    keys={ANY: EXTERNAL_ID},
    settling_seconds=600,
    rate=Rate(100_000, 86_400, "HTTP 403, REQUEST_LIMIT_EXCEEDED"),
)
"""REST API Developer Guide: a version lives three years at least (this one came in June 2026), a call ends after
ten minutes, and `If-Unmodified-Since` goes with single records only, in whole seconds, so that collections have no
precondition. A composite call counts as one and takes five queries. How late a row becomes visible depends on the org's
longest transactions: an estimate. The calls of a day are those of an Enterprise org without its licences."""


def open_system(
    settings: SystemSettings,
    *,
    clock: Clock,
    session: requests.Session | None = None,
    rng: random.Random | None = None,
) -> Salesforce:
    """A Salesforce org; nothing is sent until the first call.

    `settings` needs `url` (the org's My Domain), `client_id` and `client_secret` of an external client app
    with the client-credentials flow.
    """
    session = session or pooled_session(settings.concurrency)
    auth = ClientCredentials(
        settings.name,
        f"{settings.url.rstrip('/')}/services/oauth2/token",
        settings.option("client_id"),
        settings.option("client_secret"),
        session=session,
    )
    wire = Wire(
        settings,
        clock=clock,
        auth=auth,
        classify=answer.classify,
        session=session,
        base_url=lambda: auth.instance_url() or settings.url,
        usage_of=answer.usage_of,
        rng=rng,
    )
    return Salesforce(wire, clock=clock, told=auth.identity, passport=configured(PASSPORT, settings))


class Salesforce:
    """One org. A record's version is its `SystemModstamp`; deleted and merged rows come in pages."""

    def __init__(
        self,
        wire: Wire,
        *,
        clock: Clock,
        told: Callable[[], str] = lambda: "",
        passport: Passport = PASSPORT,
    ) -> None:
        self.name = wire.name
        self.passport = passport
        self.calls = wire.calls
        self._wire = wire
        self._clock = clock
        self._told = told
        self._splitter = Splitter(("records",), {"Id": str, "SystemModstamp": str, "IsDeleted": bool | None})
        self._ids = Splitter(("records",), {"Id": str})
        self._external = Splitter(("records",), {"Id": str, "SystemModstamp": str, EXTERNAL_ID: str})

    def share_pace(self, turns: Turns) -> None:
        self._wire.budget.share(turns)

    def identity(self) -> str:
        """The Organization Id ("00D…"), which a refreshed sandbox does not share with production.

        A login that was just made tells it, as part of the user's own address; when asked again, a query does.
        """
        if organization := _ORGANIZATION.search(self._told()):
            return organization[1]
        page = self._ids.split(self._query("SELECT Id FROM Organization"))
        if len(page) != 1:
            raise MalformedPage("Salesforce does not say which Organization this is")
        return str(page.columns["Id"][0])

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        """Rows by (SystemModstamp, Id), deleted ones too; starts `overlap_seconds` before the cursor,
        because a row carries the time of its save but is visible only after its transaction commits."""
        fields = soql.select_list(shape)
        done = (soql.at(since["at"]), str(since["id"])) if since else None
        start = (done[0] - timedelta(seconds=self.passport.overlap_seconds), "") if done else None
        body = self._first(object, fields, start)
        while True:
            page = self._splitter.split(body)
            if page.payloads:
                start = (soql.at(page.columns["SystemModstamp"][-1]), page.columns["Id"][-1])
                done = max(done or start, start)
                yield _page(page, done)
            following = _following(page)
            if following is None:
                return
            try:
                body = self._get(following, route="GET /query/{locator}")
            except answer.LocatorGone:
                body = self._first(object, fields, start)

    def count(self, object: str) -> int:
        """Rows that are not deleted, counted by the server."""
        page = self._ids.split(self._query(f"SELECT COUNT() FROM {object}"))
        return int(page.value("totalSize", int))

    def ids(self, object: str) -> Iterator[Sequence[str]]:
        """Every id that is not deleted, by keyset on Id."""

        def fetch(after: str | None) -> Split:
            where = f" WHERE Id > {soql.text(after)}" if after else ""
            return self._ids.split(self._query(f"SELECT Id FROM {object}{where} ORDER BY Id LIMIT {PAGE_MAX}"))

        def key_of(page: Split) -> str | None:
            full = len(page) == PAGE_MAX or _following(page) is not None
            return page.columns["Id"][-1] if full else None

        return (page.columns["Id"] for page in Keyset(fetch, key_of).pages(None))

    def changed(self, cursors: Mapping[str, Cursor | None]) -> set[str]:
        """One query an object for one row past its cursor, five of them in a composite call, which counts as one."""
        names = list(cursors)
        chunks = [names[start : start + LOOKS_MAX] for start in range(0, len(names), LOOKS_MAX)]
        return {name for chunk in chunks for name in self._past(chunk, cursors)}

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        found: dict[str, Found] = {}
        select = f"SELECT {', '.join(soql.select_list(shape))} FROM {object} WHERE Id IN "
        for page in self._in(select, record_ids, self._splitter):
            found.update(zip(page.columns["Id"], _found(page), strict=True))
        return found

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        found: dict[str, Found] = {}
        select = f"SELECT Id, SystemModstamp, {EXTERNAL_ID} FROM {object} WHERE {EXTERNAL_ID} IN "
        for page in self._in(select, external_ids, self._external):
            found.update(zip(page.columns[EXTERNAL_ID], _found(page), strict=True))
        return found

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """One collection call; a create is an upsert on the external id, so that it can't happen twice.

        Rows go ordered by their parent, because writers of one parent's children lock each other out; a
        row that met a lock is sent again alone, a few times.
        """
        for request in requests:
            if request.then or request.operation is Operation.REPLACE:
                mend = f"mend the mapping that writes {request.object}"
                raise FixConfiguration(f"{self.name} knows no 'then' and no replace: {mend}")
        ordered = sorted(requests, key=_parent)
        outcomes = {sent.write_id: sent for sent in self._collection(ordered)} if ordered else {}
        retries = RETRIES_MAX
        for request in ordered:
            for wait in _second_tries(outcomes[request.write_id], request)[:retries]:
                self._clock.sleep(wait)
                retries -= 1
                outcomes[request.write_id] = self._settled([request])[0]
                if not _second_tries(outcomes[request.write_id], request):
                    break
        return [outcomes[request.write_id] for request in requests]

    def check_shapes(self, shapes: Mapping[str, Shape]) -> None:
        """Compare declared objects and fields with `describe`; `FixConfiguration` names all unknown ones."""
        problems = [problem for name in sorted(shapes) for problem in self._unknown(name, shapes[name])]
        if problems:
            raise FixConfiguration.of(f"{answer.DECLARED_IN} names what this org does not show", problems)

    def _unknown(self, object: str, shape: Shape) -> list[str]:
        try:
            body = self._get(f"{DATA}/sobjects/{object}/describe", route="GET /sobjects/{T}/describe")
        except answer.NotThere:
            return [f"[{object}] object"]
        described = msgspec.json.decode(body, type=_Describe).fields
        names = {field.name for field in described} | {"attributes"}
        parents = {field.relationshipName: field.referenceTo for field in described if field.relationshipName}
        problems = []
        for name, kind in shape.items():
            if isinstance(kind, Mapping) and name not in names:
                targets = parents.get(name, [])
                problems += self._unknown(targets[0], kind) if targets else [f"[{object}] relation {name!r}"]
            elif name not in names:
                problems.append(f"[{object}] field {name!r}")
        return problems

    def _collection(self, requests: Sequence[Request]) -> list[Outcome]:
        """Send rows of one object and operation; a call refused as a whole is halved to find the row."""
        kind, creates = requests[0].object, requests[0].operation is Operation.CREATE
        path = f"/composite/sobjects/{kind}/{EXTERNAL_ID}" if creates else "/composite/sobjects"
        try:
            response = self._wire.call(
                "PATCH",
                f"{DATA}{path}",
                route=f"PATCH /composite/sobjects{'/{T}/{external}' if creates else ''}",
                safe=False,
                json={"allOrNone": False, "records": [_record(request) for request in requests]},
                headers=_origin_of(requests),
            )
        except SetAside as error:
            return self._halve(requests, error)
        try:
            rows = msgspec.json.decode(response.content, type=list[answer.Row])
        except msgspec.MsgspecError:
            rows = []
        if len(rows) != len(requests):
            raise InDoubt(f"{self.name} did not say what became of each {kind}: read back before retrying")
        return [answer.outcome(request, row) for request, row in zip(requests, rows, strict=True)]

    def _halve(self, requests: Sequence[Request], error: SetAside) -> list[Outcome]:
        if len(requests) > 1:
            middle = len(requests) // 2
            return self._settled(requests[:middle]) + self._settled(requests[middle:])
        problem = answer.Problem(errorCode=error.code, fields=list(error.fields))
        return [answer.outcome(requests[0], answer.Row(success=False, errors=[problem]))]

    def _settled(self, requests: Sequence[Request]) -> list[Outcome]:
        """A later part of a batch: its failure must not hide what became of the earlier parts."""
        try:
            return self._collection(requests)
        except InDoubt as error:
            state, reason = State.IN_DOUBT, str(error)
        except (RetryLater, FixConfiguration) as error:
            state, reason = State.FAILED, str(error)
        return [Outcome(request.write_id, state, request.record_id, message=reason) for request in requests]

    def _past(self, names: Sequence[str], cursors: Mapping[str, Cursor | None]) -> Iterator[str]:
        queries = [_look(name, cursors[name]) for name in names]
        parts = [
            {"method": "GET", "url": f"{DATA}/queryAll?{urlencode({'q': query})}", "referenceId": f"look{place}"}
            for place, query in enumerate(queries)
        ]
        response = self._wire.call(
            "POST", f"{DATA}/composite", route="POST /composite", safe=True, json={"compositeRequest": parts}
        )
        try:
            told = msgspec.json.decode(response.content, type=_Composite).compositeResponse
        except msgspec.MsgspecError:
            told = []
        if len(told) != len(names):
            raise MalformedPage(f"{self.name} did not answer all queries of a composite call")
        for name, part in zip(names, told, strict=True):
            if part.httpStatusCode != OK:
                raise FixConfiguration(f"{self.name} can't be asked for changes of {name} (HTTP {part.httpStatusCode})")
            if len(self._ids.split(part.body)):
                yield name

    def _first(self, object: str, fields: Sequence[str], start: soql.Key | None) -> bytes:
        where = f" WHERE {soql.past(start)}" if start else ""
        select = f"SELECT {', '.join(fields)} FROM {object}{where} ORDER BY SystemModstamp, Id"
        return self._query(select, verb="queryAll")

    def _in(self, select: str, values: Iterable[str], splitter: Splitter) -> Iterator[Split]:
        """All pages of queries with an IN list; the server may give fewer rows a page than asked."""
        for query in soql.in_chunks(select, values, rows_max=PAGE_MAX):
            page = splitter.split(self._query(query))
            yield page
            while (link := _following(page)) is not None:
                page = splitter.split(self._get(link, route="GET /query/{locator}"))
                yield page

    def _query(self, select: str, *, verb: str = "query") -> bytes:
        headers = {"Sforce-Query-Options": f"batchSize={PAGE_MAX}"}
        return self._get(f"{DATA}/{verb}", route=f"GET /{verb}", params={"q": select}, headers=headers)

    def _get(self, path: str, *, route: str, **options: Any) -> bytes:
        try:
            return self._wire.call("GET", path, route=route, safe=True, **options).content
        except SetAside as error:
            raise FixConfiguration(f"{self.name} can't answer {route}: {error}") from None


class _Part(msgspec.Struct):
    body: msgspec.Raw
    httpStatusCode: int  # noqa: N815 (the vendor's name)


class _Composite(msgspec.Struct):
    compositeResponse: list[_Part]  # noqa: N815 (the vendor's name)


class _DescribedField(msgspec.Struct):
    name: str
    relationshipName: str | None = None  # noqa: N815 (the vendor's name)
    referenceTo: list[str] = []  # noqa: N815 (the vendor's name)


class _Describe(msgspec.Struct):
    fields: list[_DescribedField]


def _look(object: str, since: Cursor | None) -> str:
    """A query for one row past a cursor."""
    where = f" WHERE {soql.past((soql.at(since['at']), str(since['id'])))}" if since else ""
    return f"SELECT Id FROM {object}{where} LIMIT 1"


def _page(page: Split, done: soql.Key) -> Page:
    return Page(
        record_ids=page.columns["Id"],
        versions=page.columns["SystemModstamp"],
        payloads=page.payloads,
        deleted=[bool(flag) for flag in page.columns["IsDeleted"]],
        cursor={"at": soql.literal(done[0]), "id": done[1]},
    )


def _found(page: Split) -> Iterator[Found]:
    for record_id, version, payload in zip(
        page.columns["Id"], page.columns["SystemModstamp"], page.payloads, strict=True
    ):
        yield Found(record_id, version, payload)


def _following(page: Split) -> str | None:
    """The address of the rest of the rows; None when the page is the last."""
    if page.value("done", bool):
        return None
    link = page.value("nextRecordsUrl", str | None)
    if not link:
        raise MalformedPage("a Salesforce page is neither the last nor names the next")
    return str(link)


def _second_tries(outcome: Outcome, request: Request) -> Sequence[float]:
    """Seconds to wait before each further try: a lock passes, and of two racing upserts on one key the
    loser becomes an update."""
    if outcome.code == "UNABLE_TO_LOCK_ROW":
        return LOCK_WAITS
    return (0.0,) if outcome.code == "DUPLICATE_VALUE" and request.operation is Operation.CREATE else ()


def _parent(request: Request) -> tuple[str, ...]:
    return tuple(str(request.body.get(field, "")) for field in _PARENTS)


def _record(request: Request) -> dict[str, Any]:
    key = {EXTERNAL_ID: request.external_id} if request.operation is Operation.CREATE else {"id": request.record_id}
    return {"attributes": {"type": request.object}, **request.body, **key}


def _origin_of(requests: Sequence[Request]) -> dict[str, str]:
    """Names us, and the business transaction if there is just one, as the origin of the change."""
    ids = {request.correlation_id for request in requests} - {""}
    client = f"sync-pipelines/{ids.pop()}" if len(ids) == 1 else "sync-pipelines"
    return {"Sforce-Call-Options": f"client={client}"}
