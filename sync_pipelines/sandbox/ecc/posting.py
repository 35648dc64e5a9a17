"""Posting what was taken: each IDoc for itself, and a result file that says of each line what became of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from sync_pipelines.domains.money import CURRENCIES
from sync_pipelines.sandbox.ecc.books import Books
from sync_pipelines.sandbox.ecc.intake import IDOC
from sync_pipelines.sandbox.ecc.paper import drop
from sync_pipelines.sandbox.store import Document
from sync_pipelines.systems.ecc.layout import number

RESULT = ("line", "key", "status", "erp_doc", "msgid", "msgno", "text")
Segments = list[dict[str, str]]


class Refused(Exception):
    """Status 51, with the message of the application: class, number, text."""


class Repeated(Exception):
    """The document is there already; its number."""


def post(books: Books) -> dict[str, int]:
    """Post what has status 64, as many as one run gets through, and tell; during a freeze everything is held."""
    settings, counts = books.settings, {"OK": 0, "ERR": 0, "DUP": 0, "HELD": 0}
    waiting = [dict(idoc) for idoc in books.store.all(IDOC) if "result" not in idoc or idoc["status"] == "64"]
    touched: dict[str, None] = {}
    for idoc in waiting[: settings.results]:
        result = _held(idoc) if settings.frozen and idoc["status"] == "64" else _posted(books, idoc)
        counts[result["status"]] += 1
        status = {"OK": "53", "DUP": "53", "HELD": "64"}.get(result["status"], "51")
        books.store.put(IDOC, f"{idoc['file']}:{idoc['line']:06d}", {**idoc, "status": status, "result": result})
        touched[idoc["file"]] = None
    for stem in touched:
        told = [idoc["result"] for idoc in books.store.find(IDOC, "file", stem) if "result" in idoc]
        drop(books.folder / "ack", f"{stem}.res.csv", _table(told).encode(settings.encoding, errors="replace"))
    return counts


def reprocess(books: Books) -> int:
    """What BD87 does: what was not posted is ready once more, and the next run tries it again; how many there are."""
    refused = [idoc for idoc in books.store.all(IDOC) if idoc["status"] == "51"]
    for idoc in refused:
        books.store.put(IDOC, f"{idoc['file']}:{idoc['line']:06d}", {**idoc, "status": "64"})
    return len(refused)


def _table(rows: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, RESULT, delimiter=";", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _held(idoc: Document) -> dict[str, Any]:
    return _result(idoc, "HELD", text="held until the month's end is over")


def _result(
    idoc: Document, status: str, *, document: str = "", message: tuple[str, str] = ("", ""), text: str = ""
) -> dict[str, Any]:
    msgid, msgno = message
    line, key = idoc["line"], _key(idoc)
    return {
        "line": line,
        "key": key,
        "status": status,
        "erp_doc": document,
        "msgid": msgid,
        "msgno": msgno,
        "text": text,
    }


def _posted(books: Books, idoc: Document) -> dict[str, Any]:
    if idoc["status"] == "56":
        return _result(idoc, "ERR", message=("E0", "337"), text="no partner profile for the sender")
    subject = f"post {idoc['interface']} {_key(idoc)}"
    if rule := books.faults.row(subject):
        msgid, _, msgno = rule.code.partition("_")
        return _result(idoc, "ERR", message=(msgid, msgno), text=rule.message)
    try:
        document = _BY_INTERFACE[idoc["interface"]](books, idoc["segments"])
    except Repeated as known:
        return _result(idoc, "DUP", document=str(known))
    except Refused as why:
        msgid, msgno, text = why.args
        return _result(idoc, "ERR", message=(msgid, msgno), text=text)
    return _result(idoc, "OK", document=document)


def _key(idoc: Document) -> str:
    """The business key that the document carries: ours."""
    segments: Segments = idoc["segments"]
    if idoc["interface"] == "DEBMAS":
        own = _one(segments, "E1KNA1M").get("KUNNR", "")
        return _one(segments, "Z1KNA1X").get("EXTID", "") or own
    return _one(segments, "E1EDK02").get("BELNR", "")


def _one(segments: Segments, name: str, **having: str) -> dict[str, str]:
    wanted = {"name": name, **having}
    return next((s for s in segments if wanted.items() <= s.items()), {})


def _customer(books: Books, segments: Segments) -> str:
    master, own = _one(segments, "E1KNA1M"), _one(segments, "Z1KNA1X")
    key = own.get("EXTID", "")
    names = ("NAME1", "NAME2", "STRAS", "ORT01", "PSTLZ", "LAND1", "STCEG", "TELF1", "AUFSD", "LOEVM")
    row = {name: master.get(name, "") for name in names}
    row |= {name: own.get(name, "") for name in ("STR_SUPPL1", "SMTP_ADDR", "EXTID")}
    if not row["NAME1"] or not row["LAND1"]:
        raise Refused("F2", "163", "a required field is empty")
    if master["MSGFN"] == "009":
        if key and (known := books.store.find("DEBMAS", "EXTID", key)):
            raise Repeated(known[0]["KUNNR"])
        if master["KUNNR"] and books.store.get("DEBMAS", master["KUNNR"]):
            raise Refused("F2", "042", "the number is in use")
        return books.put("DEBMAS", {**row, "KUNNR": master["KUNNR"]})
    if master["MSGFN"] != "004" or not books.store.get("DEBMAS", master["KUNNR"]):
        raise Refused("F2", "153", "the customer does not exist")
    return books.put("DEBMAS", {**row, "KUNNR": master["KUNNR"]})


def _head(books: Books, segments: Segments, partner: str) -> dict[str, str]:
    head, customer = _one(segments, "E1EDK01"), _one(segments, "E1EDKA1", PARVW=partner).get("PARTN", "")
    known = books.store.get("DEBMAS", customer)
    if known is None:
        raise Refused("VP", "204", "the sold-to party does not exist")
    if known["AUFSD"] or known["LOEVM"]:
        raise Refused("V1", "403", "the customer is blocked")
    if head["CURCY"] not in CURRENCIES:
        raise Refused("SV", "021", "the currency does not exist")
    return {"KUNNR": customer, "WAERK": head["CURCY"], "BUKRS": _one(segments, "E1EDK14", QUALF="011").get("ORGID", "")}


def _items(segments: Segments, quantity: str, *, sign: str = "") -> list[dict[str, str]]:
    found = [s for s in segments if s["name"] == "E1EDP01"]
    if not found:
        raise Refused("V1", "311", "the document has no items")
    return [
        {
            "POSNR": item["POSEX"],
            "MATNR": item["MATNR"],
            quantity: _signed(item["MENGE"], sign),
            "NETWR": _signed(item["NETWR"], sign),
        }
        for item in found
    ]


def _signed(text: str, sign: str) -> str:
    plain = number(text)
    return (plain[1:] if plain.startswith("-") else f"-{plain}") if sign else plain


def _order(books: Books, segments: Segments) -> str:
    key, head = _one(segments, "E1EDK02", QUALF="001").get("BELNR", ""), _head(books, segments, "AG")
    if known := books.store.find("ORDERS", "BSTKD", key):
        raise Repeated(known[0]["VBELN"])
    block = _one(segments, "E1EDK01")["LIFSK"]
    day = _one(segments, "E1EDK03", IDDAT="012").get("DATUM", "")
    row = {**head, "BSTKD": key, "AUDAT": day, "LIFSK": block, "items": _items(segments, "KWMENG")}
    return books.put("ORDERS", row)


def _invoice(books: Books, segments: Segments) -> str:
    key, head = _one(segments, "E1EDK02", QUALF="009").get("BELNR", ""), _head(books, segments, "RE")
    if known := books.store.find("INVOIC", "XBLNR", key):
        raise Repeated(known[0]["VBELN"])
    days = {kind: _one(segments, "E1EDK03", IDDAT=kind).get("DATUM", "") for kind in ("026", "015")}
    posted = days["015"] or days["026"]
    if posted <= books.settings.closed_until:
        raise Refused("F5", "201", "the period is not open")
    items = _items(segments, "FKIMG")
    sums = {s["SUMID"]: s["SUMME"] for s in segments if s["name"] == "E1EDS01"}
    items[0]["MWSBP"] = number(sums.get("005", "0"))
    is_credit = _one(segments, "E1EDK01")["BSART"] == "CRME"
    told = {"XBLNR": key, "VBTYP": "O" if is_credit else "M", "FKDAT": days["026"], "BUDAT": posted}
    return books.put("INVOIC", {**head, **told, "items": items})


_BY_INTERFACE = {"DEBMAS": _customer, "ORDERS": _order, "INVOIC": _invoice}
