"""A request as an IDoc: a control record and the segments of its message type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sync_pipelines.engine.port import Operation, Request
from sync_pipelines.errors import SetAside
from sync_pipelines.systems.ecc.layout import CONTROL, DATA, DEFINITIONS, SEGMENTS, Message, sap_number

Body = Mapping[str, Any]
Segment = tuple[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends to whom, and in which code page."""

    client: str
    sender: str
    receiver: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Idoc:
    content: bytes
    amount: Decimal


def idoc(message: Message, request: Request, envelope: Envelope, *, number: str, stamp: str) -> Idoc:
    """`SetAside` where a value does not fit its field or the code page."""
    day, _, time = stamp.partition("_")
    control = CONTROL.pack(
        {
            "TABNAM": CONTROL.name,
            "MANDT": envelope.client,
            "DOCNUM": number,
            "DIRECT": "2",
            "IDOCTYP": message.idoc,
            "CIMTYP": message.extension,
            "MESTYP": message.type,
            "SNDPOR": "SYNC",
            "SNDPRT": "LS",
            "SNDPRN": envelope.sender,
            "RCVPRT": "LS",
            "RCVPRN": envelope.receiver,
            "CREDAT": day,
            "CRETIM": time,
            "ARCKEY": request.write_id,
        }
    )
    segments = list(_SEGMENTS[message.type](request))
    lines = [control, *(_line(envelope, number, place, each) for place, each in enumerate(segments, start=1))]
    amount = sum((Decimal(values["NETWR"]) for name, values in segments if name == "E1EDP01"), Decimal())
    return Idoc("".join(f"{line}\r\n" for line in lines).encode(envelope.encoding), amount)


def write_ids(content: bytes, encoding: str) -> list[str]:
    """Of each IDoc in one of our own files, which write it was."""
    lines = content.decode(encoding).split("\r\n")
    return [CONTROL.unpack(line)["ARCKEY"] for line in lines if line.startswith(CONTROL.name)]


def _line(envelope: Envelope, number: str, place: int, segment: Segment) -> str:
    name, values = segment
    data = SEGMENTS[name].pack({field: _sign_behind(name, field, value) for field, value in values.items()})
    for field, value in values.items():
        try:
            value.encode(envelope.encoding)
        except UnicodeEncodeError:
            told = f"{name}-{field} holds a letter that the code page {envelope.encoding} does not have"
            raise SetAside(told, code="code_page", fields=(field,)) from None
    parent = "000001" if name == "Z1KNA1X" else "000000"
    head = {"SEGNAM": DEFINITIONS[name], "MANDT": envelope.client, "DOCNUM": number, "SEGNUM": f"{place:06d}"}
    level = "02" if name == "Z1KNA1X" else "01"
    return DATA.pack({**head, "PSGNUM": parent, "HLEVEL": level, "SDATA": data.rstrip(" ")}).rstrip(" ")


def _sign_behind(segment: str, field: str, value: str) -> str:
    return sap_number(value) if (segment, field) in _AMOUNTS else value


_AMOUNTS = {("E1EDP01", "MENGE"), ("E1EDP01", "NETWR"), ("E1EDS01", "SUMME")}


def _customer(request: Request) -> Iterator[Segment]:
    """The whole customer: what is blank is blank there afterwards."""
    body = {name: str(value) for name, value in request.body.items() if value is not None}
    own = {name: body.pop(name, "") for name in ("STR_SUPPL1", "SMTP_ADDR")}
    is_new = request.operation is Operation.CREATE
    master = {**body, "MSGFN": "009" if is_new else "004", "KUNNR": request.record_id or body.get("KUNNR", "")}
    external = request.external_id if is_new else body.get("EXTID", "")
    yield "E1KNA1M", {name: value for name, value in master.items() if name != "EXTID"}
    yield "Z1KNA1X", {**own, "EXTID": external}


def _order(request: Request) -> Iterator[Segment]:
    body = request.body
    yield "E1EDK01", {"ACTION": "009", "CURCY": body["WAERK"], "BELNR": body["BSTKD"], "LIFSK": body.get("LIFSK") or ""}
    yield "E1EDK14", {"QUALF": "011", "ORGID": body["BUKRS"]}
    yield "E1EDK03", {"IDDAT": "012", "DATUM": body["AUDAT"].replace("-", "")}
    yield "E1EDKA1", {"PARVW": "AG", "PARTN": body.get("KUNNR") or ""}
    yield "E1EDK02", {"QUALF": "001", "BELNR": request.external_id}
    yield from _items(body["items"], "KWMENG")
    yield "E1EDS01", {"SUMID": "002", "SUMME": str(_sum(body["items"])), "WAERQ": body["WAERK"]}


def _invoice(request: Request) -> Iterator[Segment]:
    body = request.body
    kind = "CRME" if body["VBTYP"] == "O" else "INVO"
    yield "E1EDK01", {"CURCY": body["WAERK"], "BSART": kind, "BELNR": body["XBLNR"]}
    yield "E1EDK14", {"QUALF": "011", "ORGID": body["BUKRS"]}
    yield "E1EDK03", {"IDDAT": "026", "DATUM": body["FKDAT"].replace("-", "")}
    if body.get("BUDAT"):
        yield "E1EDK03", {"IDDAT": "015", "DATUM": body["BUDAT"].replace("-", "")}
    yield "E1EDKA1", {"PARVW": "RE", "PARTN": body.get("KUNNR") or ""}
    yield "E1EDK02", {"QUALF": "009", "BELNR": request.external_id}
    yield from _items(body["items"], "FKIMG")
    net, tax = _sum(body["items"]), _decimal(body["MWSBP"], "MWSBP")
    for kind, amount in (("010", net), ("005", tax), ("011", net + tax)):
        yield "E1EDS01", {"SUMID": kind, "SUMME": str(amount), "WAERQ": body["WAERK"]}


def _items(items: Sequence[Body], quantity: str) -> Iterator[Segment]:
    for place, item in enumerate(items, start=1):
        pieces = _decimal(item[quantity], quantity)
        if pieces != round(pieces, 3):
            raise SetAside(f"a quantity has more than three decimals ({quantity})", code="inexact", fields=(quantity,))
        yield (
            "E1EDP01",
            {
                "POSEX": f"{place * 10:06d}",
                "MENGE": f"{pieces:.3f}",
                "NETWR": str(_decimal(item["NETWR"], "NETWR")),
                "MATNR": item["MATNR"],
            },
        )


def _sum(items: Sequence[Body]) -> Decimal:
    return sum((_decimal(item["NETWR"], "NETWR") for item in items), Decimal())


def _decimal(value: Any, field: str) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise SetAside(f"{field} is no number", code="not_a_number", fields=(field,)) from None


_SEGMENTS: Mapping[str, Callable[[Request], Iterator[Segment]]] = {
    "DEBMAS": _customer,
    "ORDERS": _order,
    "INVOIC": _invoice,
}
