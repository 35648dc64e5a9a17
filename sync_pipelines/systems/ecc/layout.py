"""Record layouts of IDoc flat files: a control record of 524 characters, data records of up to 1,063.

Source of the names and their order: SAP's EDI_DC40, EDI_DD40 and the segments of DEBMAS06, ORDERS05 and INVOIC02. What
a system calls otherwise, such as the release at the end of a segment definition's name, is in `DEFINITIONS`.
`Z1KNA1X` is no segment of SAP's: it is the extension that carries our key and what SAP keeps elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from unicodedata import category

from sync_pipelines.errors import SetAside


@dataclass(frozen=True, slots=True)
class Layout:
    """Fields of fixed width, in order."""

    name: str
    widths: Mapping[str, int]

    @property
    def width(self) -> int:
        return sum(self.widths.values())

    def pack(self, values: Mapping[str, str]) -> str:
        """One record; a value that does not fit is refused and never cut."""
        if unknown := sorted(values.keys() - self.widths.keys()):
            raise SetAside(f"{self.name} has no field {unknown[0]}", code="unknown_field", fields=(unknown[0],))
        return "".join(self._fitted(name, values.get(name, "")) for name in self.widths)

    def unpack(self, record: str) -> dict[str, str]:
        """The fields of a record, without the blanks behind them; one that was trimmed on its way is read as well."""
        ends = list(accumulate(self.widths.values()))
        starts = [0, *ends]
        return {
            name: record[start:end].rstrip(" ") for name, start, end in zip(self.widths, starts, ends, strict=False)
        }

    def _fitted(self, name: str, value: str) -> str:
        where = f"{self.name}-{name}"
        if len(value) > self.widths[name]:
            raise SetAside(
                f"a value is longer than the {self.widths[name]} characters of {where}", code="too_long", fields=(name,)
            )
        if any(category(sign) == "Cc" for sign in value):
            raise SetAside(f"a value of {where} holds a control character", code="not_printable", fields=(name,))
        return value.ljust(self.widths[name])


def _layout(name: str, fields: str) -> Layout:
    return Layout(name, dict(_fields(fields)))


def _fields(text: str) -> Iterator[tuple[str, int]]:
    words = text.split()
    return ((name, int(width)) for name, width in zip(words[::2], words[1::2], strict=True))


CONTROL = _layout(
    "EDI_DC40",
    """TABNAM 10 MANDT 3 DOCNUM 16 DOCREL 4 STATUS 2 DIRECT 1 OUTMOD 1 EXPRSS 1 TEST 1 IDOCTYP 30 CIMTYP 30 MESTYP 30
    MESCOD 3 MESFCT 3 STD 1 STDVRS 6 STDMES 6 SNDPOR 10 SNDPRT 2 SNDPFC 2 SNDPRN 10 SNDSAD 21 SNDLAD 70 RCVPOR 10
    RCVPRT 2 RCVPFC 2 RCVPRN 10 RCVSAD 21 RCVLAD 70 CREDAT 8 CRETIM 6 REFINT 14 REFGRP 14 REFMES 14 ARCKEY 70
    SERIAL 20""",
)
DATA = _layout("EDI_DD40", "SEGNAM 30 MANDT 3 DOCNUM 16 SEGNUM 6 PSGNUM 6 HLEVEL 2 SDATA 1000")

SEGMENTS: Mapping[str, Layout] = {
    name: _layout(name, fields)
    for name, fields in {
        "E1KNA1M": """MSGFN 3 KUNNR 10 ANRED 15 AUFSD 2 BAHNE 25 BAHNS 25 BBBNR 7 BBSNR 5 BEGRU 4 BRSCH 4 BUBKZ 1
            DATLT 14 FAKSD 2 FISKN 10 KNAZK 2 KNRZA 10 KONZS 10 KTOKD 4 KUKLA 2 LAND1 3 LIFNR 10 LIFSD 2 LOCCO 10
            LOEVM 1 NAME1 35 NAME2 35 NAME3 35 NAME4 35 NIELS 2 ORT01 35 ORT02 35 PFACH 10 PSTL2 10 PSTLZ 10 REGIO 3
            COUNC 3 CITYC 4 RPMKR 5 SORTL 10 SPERR 1 SPRAS 1 STCD1 16 STCD2 11 STKZA 1 STKZU 1 STRAS 35 TELBX 15
            TELF1 16 TELF2 16 TELFX 31 TELTX 30 TELX1 30 LZONE 10 XCPDK 1 XZEMP 1 VBUND 6 STCEG 20""",
        "Z1KNA1X": "EXTID 40 STR_SUPPL1 40 SMTP_ADDR 241",
        "E1EDK01": """ACTION 3 KZABS 1 CURCY 3 HWAER 3 WKURS 12 ZTERM 17 KUNDEUINR 20 EIGENUINR 20 BSART 4 BELNR 35
            NTGEW 18 BRGEW 18 GEWEI 3 FKART_RL 4 ABLAD 25 BSTZD 4 VSART 2 VSART_BEZ 20 RECIPNT_NO 10 KZAZU 1 AUTLF 1
            AUGRU 3 AUGRU_BEZ 40 ABRVW 3 ABRVW_BEZ 20 FKTYP 1 LIFSK 2 LIFSK_BEZ 20 EMPST 25 ABTNR 4 DELCO 3
            WKURS_M 12""",
        "E1EDK14": "QUALF 3 ORGID 35",
        "E1EDK03": "IDDAT 3 DATUM 8 UZEIT 6",
        "E1EDKA1": "PARVW 3 PARTN 17 LIFNR 17 NAME1 35",
        "E1EDK02": "QUALF 3 BELNR 35 POSNR 6 DATUM 8 UZEIT 6",
        "E1EDP01": """POSEX 6 ACTION 3 PSTYP 1 KZABS 1 MENGE 15 MENEE 3 BMNG2 15 PMENE 3 ABFTZ 7 VPREI 15 PEINH 9
            NETWR 18 ANETW 18 SKFBP 18 NTGEW 18 GEWEI 3 EINKZ 1 CURCY 3 PREIS 18 MATNR 35""",
        "E1EDS01": "SUMID 3 SUMME 18 SUNIT 3 WAERQ 3",
    }.items()
}

DEFINITIONS: Mapping[str, str] = {
    "E1KNA1M": "E2KNA1M005",
    "Z1KNA1X": "Z2KNA1X000",
    "E1EDK01": "E2EDK01005",
    "E1EDK14": "E2EDK14",
    "E1EDK03": "E2EDK03",
    "E1EDKA1": "E2EDKA1003",
    "E1EDK02": "E2EDK02",
    "E1EDP01": "E2EDP01006",
    "E1EDS01": "E2EDS01",
}
"""What a flat file calls a segment: its definition, with the release in which it last changed."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message type, and the columns of its extract by which a record is known."""

    type: str
    idoc: str
    extension: str
    key: str
    external: str
    """The column that carries our key."""


MESSAGES: Mapping[str, Message] = {
    message.type: message
    for message in (
        Message("DEBMAS", "DEBMAS06", "ZDEBMAS06", "KUNNR", "EXTID"),
        Message("ORDERS", "ORDERS05", "", "VBELN", "BSTKD"),
        Message("INVOIC", "INVOIC02", "", "VBELN", "XBLNR"),
    )
}


def number(text: str) -> str:
    """A number as SAP writes it, with its sign behind it, as everybody else writes it.

    >>> number("1200.50-"), number("3.000")
    ('-1200.50', '3.000')
    """
    return f"-{text[:-1]}" if text.endswith("-") else text


def sap_number(text: str) -> str:
    """A number with its sign behind it.

    >>> sap_number("-1200.50")
    '1200.50-'
    """
    return f"{text[1:]}-" if text.startswith("-") else text
