"""What the account's records look like, read from `account.toml`; records are found whatever their name's case."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import msgspec


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field. `wrapped`: its value comes inside of an object, as `{"value": 0}`."""

    type: str
    length: int = 0
    to: str = ""
    of: dict[str, Field] = {}
    wrapped: bool = False


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One record type. Records of one `group` share their external ids, those of one `table` their numbers."""

    name: str
    table: str
    fields: dict[str, Field]
    group: str = ""
    code: str = ""
    """What a transaction's type is called in queries."""
    posts: bool = False
    required: list[str] = []
    unique: list[str] = []
    readonly: bool = False


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who the account is, and the credentials that it knows."""

    id: str
    zone: str
    client_id: str
    scope: str
    consumer: tuple[str, str]
    token: tuple[str, str]
    user: str

    @property
    def host(self) -> str:
        """The account's own address: the same wherever its data lie."""
        return f"https://{self.id.lower().replace('_', '-')}.suitetalk.api.netsuite.com"


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token_seconds: int
    clock_drift_seconds: int
    concurrent_requests: int
    page_max: int
    rows_max: int
    batch_max: int
    job_seconds: float
    refusal: str
    numbers: dict[str, str]
    duplicate_numbers: bool


class Schema(msgspec.Struct, frozen=True):
    account: Account
    behaviour: Behaviour
    records: dict[str, Record]

    def record(self, name: str) -> Record | None:
        """A record type by its name in a path."""
        return next((record for record in self.records.values() if record.name.lower() == name.lower()), None)

    def of_table(self, table: str) -> list[Record]:
        return [record for record in self.records.values() if record.table == table]


def load_schema() -> Schema:
    """The account that ships with the stand-in."""
    told = tomllib.loads(files(__package__).joinpath("account.toml").read_text())
    records = {name: _record(name, given, told["records"]) for name, given in told["records"].items()}
    account, behaviour = msgspec.convert(told["account"], Account), msgspec.convert(told["behaviour"], Behaviour)
    return Schema(account, behaviour, records)


def _record(name: str, given: Mapping[str, Any], all_given: Mapping[str, Any]) -> Record:
    like = all_given[given["like"]]["fields"] if "like" in given else {}
    told = {key: value for key, value in given.items() if key != "like"}
    return msgspec.convert({**told, "name": name, "fields": {**like, **given["fields"]}}, Record)
