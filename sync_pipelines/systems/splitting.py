"""Pages from bytes to columns: keys are decoded, records stay the bytes they came as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sync_pipelines.errors import MalformedPage


@dataclass(frozen=True, slots=True)
class Split:
    """One page taken apart: its records' bytes, the asked keys as columns, and what stood around them.

    `envelope` is the object that holds the list of records, without that list; its values are bytes.
    """

    payloads: Sequence[bytes]
    columns: Mapping[str, Sequence[Any]]
    envelope: Mapping[str, bytes]

    def __len__(self) -> int:
        return len(self.payloads)

    def value(self, key: str, kind: Any = Any) -> Any:
        """A value beside the records ("nextRecordsUrl", "has_more"), decoded; None where it is absent."""
        raw = self.envelope.get(key)
        return None if raw is None else _decode(msgspec.json.Decoder(kind), raw, key)


class Splitter:
    """Takes pages of one object apart without making Python objects of whole records.

    `path` leads to the list of records (`("records",)`; `()` when the page is the list itself). `keys`
    names what to decode of each record, with its type; a key whose type allows None may be absent. Where a list
    wraps each record in an object under the name of its kind, `wrapped_in` is that name.

    >>> splitter = Splitter(("records",), {"Id": str, "IsDeleted": bool | None})
    >>> page = splitter.split(b'{"done": true, "records": [{"Id": "001", "Name": "Acme", "Amount": 10.10}]}')
    >>> page.columns["Id"], page.payloads, page.value("done")
    (['001'], [b'{"Id": "001", "Name": "Acme", "Amount": 10.10}'], True)
    >>> Splitter(("list",), {"id": str}, wrapped_in="item").split(b'{"list": [{"item": {"id": "a"}}]}').payloads
    [b'{"id": "a"}']
    """

    def __init__(self, path: Sequence[str], keys: Mapping[str, Any], *, wrapped_in: str = "") -> None:
        self._path = tuple(path)
        names = {f"key_{position}": key for position, key in enumerate(keys)}
        fields = [_field(name, keys[key]) for name, key in names.items()]
        struct = msgspec.defstruct("Keys", sorted(fields, key=len), rename=names)
        self._names = names
        wrapper = msgspec.defstruct("Wrapper", [("record", msgspec.Raw)], rename={"record": wrapped_in})
        keyed = msgspec.defstruct("Keyed", [("record", struct)], rename={"record": wrapped_in})
        self._is_wrapped = bool(wrapped_in)
        self._keys = msgspec.json.Decoder(list[keyed] if wrapped_in else list[struct])  # type: ignore[valid-type]
        self._list = msgspec.json.Decoder(list[wrapper] if wrapped_in else list[msgspec.Raw])  # type: ignore[valid-type]
        self._object = msgspec.json.Decoder(dict[str, msgspec.Raw])

    def split(self, body: bytes) -> Split:
        """The page as columns; `MalformedPage` when it is not whole or a record lacks a key."""
        raw: bytes | msgspec.Raw = body
        envelope: dict[str, msgspec.Raw] = {}
        for step in self._path:
            envelope = dict(_decode(self._object, raw, step))
            if step not in envelope:
                raise MalformedPage(f"the page has no {step!r}: nothing of it was kept")
            raw = envelope.pop(step)
        listed = _decode(self._list, raw, "the list of records")
        keyed = _decode(self._keys, raw, "a record")
        records, keys = ([each.record for each in rows] if self._is_wrapped else rows for rows in (listed, keyed))
        return Split(
            payloads=list(map(bytes, records)),
            columns={key: [getattr(row, name) for row in keys] for name, key in self._names.items()},
            envelope={key: bytes(value) for key, value in envelope.items()},
        )


def _field(name: str, kind: Any) -> tuple[str, Any] | tuple[str, Any, None]:
    """Optional keys get a default, so that they may be absent."""
    optional = kind is Any or type(None) in getattr(kind, "__args__", ())
    return (name, kind, None) if optional else (name, kind)


def _decode(decoder: Any, raw: bytes | msgspec.Raw, what: str) -> Any:
    try:
        return decoder.decode(raw)
    except msgspec.MsgspecError as error:
        raise MalformedPage(f"{what} could not be read ({error}): nothing of the page was kept") from None
