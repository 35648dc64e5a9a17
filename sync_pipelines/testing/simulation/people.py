"""What people and other programs do in the systems, past our own interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import requests

from sync_pipelines.sandbox.demo import SECRETS
from sync_pipelines.sandbox.salesforce.fault import Refusal
from sync_pipelines.sandbox.salesforce.vendor import Salesforce
from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.sandbox.tryton import posting, sale
from sync_pipelines.sandbox.tryton.fault import Fault
from sync_pipelines.sandbox.tryton.founding import CLERK
from sync_pipelines.sandbox.tryton.saving import Writer
from sync_pipelines.sandbox.tryton.vendor import Tryton
from sync_pipelines.testing.simulation.world import World, rows

CompanyRow = Mapping[str, Any]


def crm(world: World) -> Salesforce:
    vendor = world.boxes["salesforce"].vendor
    assert isinstance(vendor, Salesforce)
    return vendor


def erp(world: World) -> Tryton:
    vendor = world.boxes["tryton"].vendor
    assert isinstance(vendor, Tryton)
    return vendor


def live(world: World, table: str) -> list[Document]:
    """The CRM's records of an object that are not deleted."""
    return [row for row in rows(world, "salesforce", table) if not row["IsDeleted"]]


def edit_crm(world: World, table: str, record_id: str, values: Mapping[str, Any]) -> bool:
    org = crm(world).org
    try:
        org.update(org.lookup.object(table), record_id, values)
    except Refusal:
        return False
    return True


def enter_crm(world: World, table: str, values: Mapping[str, Any]) -> str | None:
    org = crm(world).org
    try:
        made = org.create(org.lookup.object(table), values)
    except Refusal:
        return None
    world.by_hand.add(("salesforce", table, made))
    return made


def administer_crm(world: World, action: str, given: Mapping[str, Any]) -> bool:
    try:
        crm(world).admin(action, given)
    except (ValueError, Refusal):
        return False
    return True


def bin_crm(world: World, table: str, record_id: str) -> bool:
    vendor = crm(world)
    try:
        vendor.api.bin.delete(vendor.org.lookup.object(table), record_id)
    except Refusal:
        return False
    return True


def bill(world: World, method: str, path: str, **form: Any) -> dict[str, Any] | None:
    """What billing's own program asks of Stripe; None where it is refused."""
    request = requests.Request(
        method,
        f"http://stripe.test{path}",
        data=urlencode(_flat(form)),
        headers={
            "Authorization": f"Bearer {SECRETS['STRIPE_API_KEY']}",
            "Content-Type": "application/x-www-form-urlencoded",
        },
    ).prepare()
    response = InProcess(world.boxes["stripe"]).send(request)
    answer: dict[str, Any] = response.json()
    if response.status_code != 200:
        return None
    world.edits.append((len(world.traffic.log), "stripe", str(answer["id"])))
    return answer


def _flat(form: Mapping[str, Any], inside: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in form.items():
        name = f"{inside}[{key}]" if inside else key
        if isinstance(value, Mapping):
            found += _flat(value, name)
        elif isinstance(value, list):
            for place, each in enumerate(value):
                nested = {str(place): each}
                found += _flat(nested, name)
        else:
            found.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    return found


def enter_erp(world: World, model: str, values: Mapping[str, Any]) -> int | None:
    """A clerk enters a record by hand."""
    database = erp(world).database
    try:
        with database.transaction():
            (made,) = Writer(database, company=1).create(database.model(model), [values])
            row = {**database.get(model, made), "create_uid": CLERK}
            database.put(model, row)
    except Fault:
        return None
    world.by_hand.add(("tryton", model, str(made)))
    return int(made)


def keep_in_erp(world: World, model: str, values: Mapping[str, Any]) -> None:
    """The ERP's administrator adds a record of a kind that nobody enters by hand, unless its code is there."""
    database = erp(world).database
    known = database.store.all(model)
    if any(row["code"] == values["code"] for row in known):
        return
    with database.transaction():
        stamps = {"create_date": database.began, "write_uid": None, "write_date": None}
        number = max(int(row["id"]) for row in known) + 1
        database.put(model, {**known[0], **values, **stamps, "id": number})


def edit_erp(world: World, model: str, record_id: int, values: Mapping[str, Any]) -> bool:
    database = erp(world).database
    try:
        with database.transaction():
            Writer(database, company=1).write(database.model(model), [([record_id], values)])
    except Fault:
        return False
    world.edits.append((len(world.traffic.log), "tryton", f"{model},{record_id}"))
    return True


def delete_erp(world: World, model: str, record_id: int) -> bool:
    database = erp(world).database
    try:
        with database.transaction():
            Writer(database, company=1).delete(database.model(model), [record_id])
    except Fault:
        return False
    return True


def press_erp(world: World, model: str, button: str, ids: Sequence[int]) -> bool:
    database = erp(world).database
    try:
        with database.transaction():
            press = sale.press if model == "sale.sale" else posting.press
            press(database, button, ids, 1)
    except Fault:
        return False
    return True


def open_period(world: World, name: str) -> None:
    close_period(world, name, "open")


def close_period(world: World, name: str, state: str) -> bool:
    """The controller closes, locks or opens a month in the ERP."""
    database = erp(world).database
    period = next((p for p in database.store.all("account.period") if p["name"] == name), None)
    if period is None or period["state"] == state:
        return False
    with database.transaction():
        database.change("account.period", period["id"], {"state": state})
    world.periods.append((world.clock.now(), name, state))
    world.closings.append((len(world.traffic.log), name, state))
    return True
