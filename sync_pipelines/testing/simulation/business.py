"""What happens in the business while the loop is at work: edits, deals, documents, deletes, merges, closings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sync_pipelines.testing.simulation import people, staff
from sync_pipelines.testing.simulation.line import Spoil
from sync_pipelines.testing.simulation.story import Kind
from sync_pipelines.testing.simulation.world import CUT_OVER, Happen, World, rows

ZONE = ZoneInfo("America/New_York")
_ANY = {"start": 1, "step": 14, "apply": 3, "read": 30}
_BETWEEN = {"apply": 4, "read": 40}
_POSTED = ("open", "paid", "uncollectible")
Row = TypeVar("Row")


def _one(rng: Random, found: Sequence[Row]) -> Row | None:
    return rng.choice(found) if found else None


# Edits


def _account_edited(world: World, rng: Random) -> str | None:
    account = _one(rng, people.live(world, "Account"))
    if account is None:
        return None
    field, value = rng.choice(
        (
            ("BillingStreet", f"{rng.randint(1, 99)} New Street"),
            ("Phone", f"+1 555 {rng.randint(1000, 9999)}"),
            ("Name", f"{account['Name']} {rng.randint(2, 9)}"),
        )
    )
    done = people.edit_crm(world, "Account", account["Id"], {field: value})
    return f"somebody edits {field} of {account['AccountNumber']} in the CRM" if done else None


def _party_edited(world: World, rng: Random) -> str | None:
    party = _one(rng, [p for p in rows(world, "tryton", "party.party") if p["id"] > 2])
    if party is None:
        return None
    done = people.edit_erp(world, "party.party", party["id"], {"name": f"{party['name']} by hand"})
    return f"a clerk renames party {party['code']}" if done else None


def _customer_edited(world: World, rng: Random) -> str | None:
    customer = _one(rng, rows(world, "stripe", "customer"))
    if customer is None:
        return None
    done = people.bill(world, "POST", f"/v1/customers/{customer['id']}", phone=f"+1 555 {rng.randint(1000, 9999)}")
    return f"billing edits {customer['id']}" if done else None


def _account_entered(world: World, rng: Random) -> str | None:
    number = f"C-9{rng.randint(1000, 9999)}"
    values = {
        "Name": f"Newcomer {number}",
        "AccountNumber": number,
        "BillingStreet": f"{rng.randint(1, 99)} Main Street",
        "BillingCity": "Springfield",
        "BillingPostalCode": "01101",
        "BillingCountry": "US",
        "Billing_Email__c": f"ap@{number.lower()}.example",
        "CurrencyIsoCode": "USD",
        "Active__c": True,
    }
    return f"account {number} is entered" if people.enter_crm(world, "Account", values) else None


# Deals


def _deal_won(world: World, rng: Random) -> str | None:
    number = _win(world, rng)
    return f"deal {number} is won" if number else None


def _win(world: World, rng: Random, *, legal_entity: str = "") -> str | None:
    """One more deal is won, like one that was won before; its order's number."""
    known = _one(rng, [o for o in people.live(world, "Opportunity") if o["IsWon"]])
    if known is None:
        return None
    items = [i for i in people.live(world, "OpportunityLineItem") if i["OpportunityId"] == known["Id"]]
    number = f"D-9{rng.randint(1000, 9999)}"
    copied = ("AccountId", "CurrencyIsoCode", "Legal_Entity__c", "Name", "Pricebook2Id")
    values = {name: known[name] for name in copied} | ({"Legal_Entity__c": legal_entity} if legal_entity else {})
    values |= {"StageName": "Closed Won", "CloseDate": _today(world), "Order_Number__c": number}
    made = people.enter_crm(world, "Opportunity", values)
    if made is None:
        return None
    for item in items:
        line = {name: item[name] for name in ("PricebookEntryId", "Quantity", "UnitPrice")}
        people.enter_crm(world, "OpportunityLineItem", {"OpportunityId": made, **line})
    return number


def _deal_lost_again(world: World, rng: Random) -> str | None:
    deal = _one(rng, [o for o in people.live(world, "Opportunity") if o["IsWon"]])
    if deal is None:
        return None
    done = people.edit_crm(world, "Opportunity", deal["Id"], {"StageName": "Closed Lost"})
    return f"deal {deal['Order_Number__c']} is cancelled" if done else None


def _today(world: World) -> str:
    return world.clock.now().astimezone(ZONE).date().isoformat()


# Documents


def _invoice(world: World, rng: Random, **more: Any) -> Mapping[str, Any] | None:
    """Billing issues one more invoice to a customer who has had one, or to another that is named, in her currency."""
    known = _one(rng, [i for i in rows(world, "stripe", "invoice") if i["status"] in _POSTED])
    if known is None:
        return None
    metadata = {"legal_entity": more.pop("legal_entity", "US01")} if more.pop("has_entity", True) else {}
    unit_minor, whose = more.pop("unit_minor", None), {name: known[name] for name in ("customer", "currency")}
    is_like_it = "customer" not in more
    whose |= {name: more.pop(name) for name in whose if name in more}
    lines = known["lines"]["data"][: rng.randint(1, 2)]
    rates = [t["tax_rate_details"]["tax_rate"] for t in lines[0]["taxes"] if is_like_it][:1]
    draft = people.bill(
        world,
        "POST",
        "/v1/invoices",
        **whose,
        collection_method="send_invoice",
        days_until_due=30,
        metadata=metadata,
        **({"default_tax_rates": rates} if rates else {}),
        **more,
    )
    if draft is None:
        return None
    for line in lines:
        people.bill(
            world,
            "POST",
            "/v1/invoiceitems",
            **whose,
            invoice=draft["id"],
            quantity=rng.randint(1, 7),
            **_priced(line, whose["currency"], unit_minor),
        )
    return people.bill(world, "POST", f"/v1/invoices/{draft['id']}/finalize")


def _priced(line: Mapping[str, Any], currency: str, unit_minor: int | None) -> dict[str, Any]:
    """The product of a line for its price of then, or for another one."""
    pricing = line["pricing"]
    unit = int(Decimal(pricing["unit_amount_decimal"])) if unit_minor is None else unit_minor
    return {"price_data": {"currency": currency, "product": pricing["price_details"]["product"], "unit_amount": unit}}


def _invoice_issued(world: World, rng: Random) -> str | None:
    made = _invoice(world, rng)
    return f"invoice {made['number']} over {made['total']} {made['currency']} is issued" if made else None


def _invoice_of_odd_cents(world: World, rng: Random) -> str | None:
    """Units that no tax divides evenly, so that rounding by line and by document differ."""
    made = _invoice(world, rng, unit_minor=rng.choice((1, 33, 101, 999, 1003)))
    return f"invoice {made['number']} over {made['total']} {made['currency']} is issued" if made else None


def _credited_at_once(world: World, rng: Random) -> str | None:
    """An invoice is issued and credited before anybody has read it."""
    made = _invoice(world, rng)
    if made is None:
        return None
    note = _credit(world, rng, made)
    return f"invoice {made['number']} is issued and credited by {note['number']}" if note else None


def _invoice_without_entity(world: World, rng: Random) -> str | None:
    made = _invoice(world, rng, has_entity=False)
    return f"invoice {made['number']} names no legal entity" if made else None


def _invoice_late_in_the_evening(world: World, rng: Random) -> str | None:
    """Issued at 23:30 of the company's day, which is tomorrow in UTC; at a month's end, or a day of 25 hours."""
    day = rng.choice(((2026, 10, 31), (2026, 11, 1), (2026, 9, 30), (2026, 6, 30)))
    at = datetime(*day, 23, 30, tzinfo=ZONE)
    made = _invoice(world, rng, effective_at=int(at.timestamp()))
    return f"invoice {made['number']} is issued at {at.isoformat()}" if made else None


def _invoice_credited(world: World, rng: Random) -> str | None:
    invoice = _one(rng, [i for i in rows(world, "stripe", "invoice") if i["status"] in _POSTED and i["total"] > 0])
    if invoice is None:
        return None
    made = _credit(world, rng, invoice)
    return f"credit note {made['number']} is issued" if made else None


def _credit(world: World, rng: Random, invoice: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """One unit of one line is credited; what was paid is given back outside of billing."""
    line = rng.choice(invoice["lines"]["data"])
    wanted = {"type": "invoice_line_item", "invoice_line_item": line["id"], "quantity": 1}
    unit = Decimal(line["pricing"]["unit_amount_decimal"])
    tax = unit * sum(each["amount"] for each in line["taxes"]) / (line["amount"] or 1)
    back = {"out_of_band_amount": int(unit + tax.quantize(Decimal(1)))} if invoice["status"] == "paid" else {}
    return people.bill(world, "POST", "/v1/credit_notes", invoice=invoice["id"], lines=[wanted], **back)


def _invoice_voided(world: World, rng: Random) -> str | None:
    invoice = _one(rng, [i for i in rows(world, "stripe", "invoice") if i["status"] == "open"]) or _invoice(world, rng)
    made = people.bill(world, "POST", f"/v1/invoices/{invoice['id']}/void") if invoice else None
    return f"invoice {invoice['number']} is voided" if invoice and made else None


def _posted_invoice_voided(world: World, rng: Random) -> str | None:
    """Billing voids what the ERP has in its books already, and at times something befalls what takes it out of them."""
    known = {row["reference"] for row in rows(world, "tryton", "account.invoice") if row["state"] == "posted"}
    invoice = _one(rng, [i for i in rows(world, "stripe", "invoice") if i["status"] == "open" and i["number"] in known])
    made = people.bill(world, "POST", f"/v1/invoices/{invoice['id']}/void") if invoice else None
    if invoice is None or made is None:
        return None
    told = f"invoice {invoice['number']}, which is posted, is voided"
    return f"{told}, and {_credit_befallen(world, rng)}" if rng.random() < 0.7 else told


def _credit_befallen(world: World, rng: Random) -> str:
    kind = rng.choice(("drop_after", "drop_before", "slow_reply", "truncate", "answer", "answer_after", "park"))
    share = rng.choice((0.05, 0.6))
    spoil = Spoil(kind, only="write", where="credit.execute", status=502, body=b"{}", share=share)
    world.traffic.spoil(spoil, "tryton")
    return f"{kind} befalls its credit note"


def _ordered_deal_lost(world: World, rng: Random) -> str | None:
    """A deal is cancelled that the ERP has an order of already."""
    known = {row["reference"] for row in rows(world, "tryton", "sale.sale") if row["state"] != "cancelled"}
    deals = [o for o in people.live(world, "Opportunity") if o["IsWon"] and o["Order_Number__c"] in known]
    deal = _one(rng, deals)
    done = deal is not None and people.edit_crm(world, "Opportunity", deal["Id"], {"StageName": "Closed Lost"})
    return f"deal {deal['Order_Number__c']}, which is ordered, is cancelled" if deal and done else None


def _large_invoice(world: World, rng: Random) -> str | None:
    made = _invoice(world, rng, unit_minor=rng.choice((100_000_000, 133_333_333)))
    return f"invoice {made['number']} over {made['total']} {made['currency']} is issued" if made else None


def _invoice_of_three_decimals(world: World, rng: Random) -> str | None:
    """A newcomer, known to the CRM and to billing, is billed in a currency that the ERP knows or that it doesn't."""
    number = f"C-7{rng.randint(1000, 9999)}"
    values = {"Name": f"Kuwait {number}", "AccountNumber": number, "CurrencyIsoCode": "USD", "Active__c": True}
    entered = people.enter_crm(world, "Account", {**values, "BillingCity": "Springfield", "BillingCountry": "US"})
    metadata = {"customer_number": number}
    customer = people.bill(world, "POST", "/v1/customers", name=values["Name"], metadata=metadata) if entered else None
    if customer is None:
        return None
    world.by_hand.add(("stripe", "customer", customer["id"]))
    is_known = rng.random() < 0.7
    if is_known:
        dinar = {"code": "KWD", "name": "Dinar", "numeric_code": "414", "symbol": "KWD", "digits": 3}
        people.keep_in_erp(world, "currency.currency", {**dinar, "rounding": "0.001", "rate": "0.3"})
    unit = rng.choice((12_340, 1_230, 99_990, 10))
    made = _invoice(world, rng, customer=customer["id"], currency="kwd", unit_minor=unit)
    told = "knows" if is_known else "does not know"
    return f"invoice {made['number']} over {made['total']} kwd is issued, which the ERP {told}" if made else None


def _other_entity(world: World, rng: Random) -> str | None:
    """Business of a legal entity that the topology declares or not, and whose books are not in this ERP."""
    code = rng.choice((staff.OTHER_ENTITY, "XX99"))
    told = []
    if "invoice" in world.story.domains and (made := _invoice(world, rng, legal_entity=code)):
        told.append(f"invoice {made['number']} is of {code}")
    if "order" in world.story.domains and (number := _win(world, rng, legal_entity=code)):
        told.append(f"deal {number} is of {code}")
    return ", ".join(told) or None


def _invoice_paid(world: World, rng: Random) -> str | None:
    invoice = _one(rng, [i for i in rows(world, "stripe", "invoice") if i["status"] == "open"]) or _invoice(world, rng)
    paid = people.bill(world, "POST", f"/v1/invoices/{invoice['id']}/pay", paid_out_of_band=True) if invoice else None
    return f"invoice {invoice['number']} is paid" if invoice and paid else None


def _invoice_entered_by_hand(world: World, rng: Random) -> str | None:
    """A clerk enters the ERP's copy of a document that billing has, before we do."""
    held = rows(world, "tryton", "account.invoice")
    known = {row["reference"] for row in held}
    missing = [i for i in rows(world, "stripe", "invoice") if i["status"] in _POSTED and i["number"] not in known]
    invoice, like = _one(rng, missing), _one(rng, held)
    begun = sum(system == "tryton" and model == "account.invoice" for system, model, _ in world.by_hand)
    if invoice is None or like is None or 2 * (begun + 1) > len(held) + 1:  # most of a domain set aside stops it
        return None
    copied = ("company", "party", "invoice_address", "currency", "journal", "account", "payment_term")
    values = {name: like[name] for name in copied}
    made = people.enter_erp(
        world, "account.invoice", {**values, "type": "out", "number": invoice["number"], "reference": invoice["number"]}
    )
    return f"a clerk begins invoice {invoice['number']} by hand" if made else None


# Periods


def _period_closed(world: World, rng: Random) -> str | None:
    """The month of a document that is still to be written, else any open one."""
    known = {row["reference"] for row in rows(world, "tryton", "account.invoice")}
    dates = [
        datetime.fromtimestamp(i["effective_at"] or i["created"], ZONE)
        for i in rows(world, "stripe", "invoice")
        if i["status"] in _POSTED and i["number"] not in known
    ]
    at, state = _one(rng, dates), rng.choice(("closed", "locked"))
    open_ones = [p["name"] for p in rows(world, "tryton", "account.period") if p["state"] == "open"]
    name = f"{at:%Y-%m}" if at else ""
    name = name if name in open_ones else rng.choice(open_ones)
    done = people.close_period(world, name, state)
    if done and rng.random() < 0.5:
        world.afterwards.append(lambda: people.open_period(world, name))
        return f"period {name} is {state} for a while"
    return f"period {name} is {state}" if done else None


# Deletes and merges


def _account_deleted(world: World, rng: Random) -> str | None:
    """With everything that hangs on it, for the CRM lets none go that has deals or contracts."""
    account = _one(rng, people.live(world, "Account"))
    if account is None:
        return None
    for table in ("Entitlement", "Contract", "Opportunity"):
        for child in people.live(world, table):
            if child["AccountId"] == account["Id"]:
                people.bin_crm(world, table, child["Id"])
    done = people.bin_crm(world, "Account", account["Id"])
    return f"account {account['AccountNumber']} is deleted" if done else None


def _account_restored(world: World, rng: Random) -> str | None:
    gone = [a for a in rows(world, "salesforce", "Account") if a["IsDeleted"] and not a.get("MasterRecordId")]
    if not gone:
        told = _account_deleted(world, rng)
        gone = [a for a in rows(world, "salesforce", "Account") if told and a["IsDeleted"]]
    account = _one(rng, gone)
    done = account is not None and people.administer_crm(world, "undelete", {"ids": [account["Id"]]})
    return f"account {account['AccountNumber']} is restored" if account and done else None


def _accounts_merged(world: World, rng: Random) -> str | None:
    accounts = people.live(world, "Account")
    if len(accounts) < 2:
        return None
    winner, loser = rng.sample(accounts, 2)
    done = people.administer_crm(world, "merge", {"winner": winner["Id"], "losers": [loser["Id"]]})
    return f"{loser['AccountNumber']} is merged into {winner['AccountNumber']}" if done else None


def _loser_purged(world: World, rng: Random) -> str | None:
    if not (lost := _merged(world)) and _accounts_merged(world, rng):
        lost = _merged(world)
    loser = _one(rng, lost)
    done = loser is not None and people.administer_crm(world, "purge", {"ids": [loser["Id"]]})
    return f"the merged account {loser['AccountNumber']} is purged" if loser and done else None


def _accounts_merged_again(world: World, rng: Random) -> str | None:
    """A survivor is itself merged into another: a chain."""
    told = _accounts_merged(world, rng)
    survivors = {a.get("MasterRecordId") for a in _merged(world)}
    chained = [a for a in people.live(world, "Account") if a["Id"] in survivors]
    others = [a for a in people.live(world, "Account") if a["Id"] not in survivors]
    if not told or not chained or not others:
        return told
    winner, loser = rng.choice(others), rng.choice(chained)
    done = people.administer_crm(world, "merge", {"winner": winner["Id"], "losers": [loser["Id"]]})
    return f"{told}, and that into {winner['AccountNumber']}" if done else told


def _unmerged(world: World, rng: Random) -> str | None:
    """A merge is taken back, perhaps before anybody saw it."""
    if not _merged(world):
        _accounts_merged(world, rng)
    loser = _one(rng, _merged(world))
    done = loser is not None and people.administer_crm(world, "undelete", {"ids": [loser["Id"]]})
    return f"the merge of {loser['AccountNumber']} is taken back" if loser and done else None


def _merged(world: World) -> Sequence[Mapping[str, Any]]:
    return [a for a in rows(world, "salesforce", "Account") if a.get("MasterRecordId") and a["IsDeleted"]]


def _party_deleted(world: World, rng: Random) -> str | None:
    party = _deleted_party(world, rng)
    return f"a clerk deletes party {party['code']}" if party else None


def _party_entered_again(world: World, rng: Random) -> str | None:
    """A record is deleted in the ERP, and made again by hand under the same key."""
    party = _deleted_party(world, rng)
    made = party and people.enter_erp(world, "party.party", {"code": party["code"], "name": party["name"]})
    return f"a clerk deletes party {party['code']} and enters it again" if party and made else None


def _deleted_party(world: World, rng: Random) -> Mapping[str, Any] | None:
    """One of the parties that the ERP lets go: those without documents."""
    parties = [p for p in rows(world, "tryton", "party.party") if p["id"] > 2]
    chosen = rng.sample(parties, len(parties))
    return next((party for party in chosen if people.delete_erp(world, "party.party", party["id"])), None)


def _same_name(world: World, rng: Random) -> str | None:
    """Another company of the same name, in the CRM or the ERP."""
    account = _one(rng, people.live(world, "Account"))
    if account is None:
        return None
    if rng.random() < 0.5:
        made: Any = people.enter_erp(world, "party.party", {"name": account["Name"]})
        return f"a clerk enters a second {account['AccountNumber']} by name" if made else None
    number = f"C-8{rng.randint(1000, 9999)}"
    values = {"Name": account["Name"], "AccountNumber": number, "CurrencyIsoCode": "USD", "Active__c": True}
    made = people.enter_crm(world, "Account", {**values, "BillingCountry": account["BillingCountry"]})
    return f"account {number} has the name of {account['AccountNumber']}" if made else None


# What is seen late, or not at all


def _seen_late(world: World, rng: Random) -> str | None:
    account = _one(rng, people.live(world, "Account"))
    if account is None:
        return None
    values = {"Id": account["Id"], "Phone": f"+1 555 {rng.randint(1000, 9999)}"}
    seconds = rng.choice((5, 60, 300, 840))
    given = {"object": "Account", "values": values, "seconds": seconds}
    done = people.administer_crm(world, "save_late", given)
    return f"an edit of {account['AccountNumber']} becomes visible after {seconds} s" if done else None


def _before_midnight(world: World, rng: Random) -> str | None:
    """The clock stands just before the company's midnight, when somebody edits and the loop runs."""
    now = world.clock.now().astimezone(ZONE)
    at = now.replace(hour=23, minute=59, second=rng.randint(0, 50))
    world.clock.advance(max(0.0, (at - now) / timedelta(seconds=1)))
    return _account_edited(world, rng)


def _field_vanishes(world: World, rng: Random) -> str | None:
    """A page comes without a field that was asked for."""
    name = rng.choice(("Phone", "BillingStreet", "Website"))
    world.traffic.spoil(Spoil("omit", only="read", where=name, body=name.encode()), "salesforce")
    return f"the next page with {name} comes without it"


def _value_removed(world: World, rng: Random) -> str | None:
    account = _one(rng, [a for a in people.live(world, "Account") if a.get("Phone")])
    done = account is not None and people.edit_crm(world, "Account", account["Id"], {"Phone": None})
    return f"the phone of {account['AccountNumber']} is emptied in the CRM" if account and done else None


def _field_shorter(world: World, rng: Random) -> str | None:
    given = {"object": "Entitlement", "field": "Name", "changes": {"length": 12}}
    return "Entitlement.Name is now shorter" if people.administer_crm(world, "alter", given) else None


def _field_dropped(world: World, rng: Random) -> str | None:
    vendor = people.crm(world)
    before = vendor.org.schema
    done = people.administer_crm(world, "alter", {"object": "Account", "field": "Website", "changes": None})

    def bring_back() -> None:
        vendor.org.lookup.schema = before

    world.afterwards.append(bring_back)
    return "Account.Website is hidden from the integration for a while" if done else None


def _status_unknown(world: World, rng: Random) -> str | None:
    contract = _one(rng, people.live(world, "Contract"))
    if contract is None:
        return None
    store = world.boxes["salesforce"].store
    store.put(
        "Contract", contract["Id"], {**contract, "Status": "On Hold", "SystemModstamp": people.crm(world).org.now()}
    )
    return f"contract {contract['ContractNumber']} has a new status"


def _computed_anew(world: World, rng: Random) -> str | None:
    """A field that the CRM computes moves, and the record's time of change does not."""
    account = _one(rng, people.live(world, "Account"))
    if account is None:
        return None
    moved = {**account, "Phone": f"+1 555 {rng.randint(1000, 9999)}"}
    world.boxes["salesforce"].store.put("Account", account["Id"], moved)
    return f"the phone of {account['AccountNumber']} is computed anew, without a time of change"


# Events of billing: hints that may be lost, late, doubled and out of order


def _event_lost(world: World, rng: Random) -> str | None:
    """Something changes in billing, and the feed never tells."""
    told, events = _billed_change(world, rng)
    for event in events:
        world.boxes["stripe"].store.delete("_event", event["id"])
    return f"{told}, and its event is lost" if told and events else told


def _event_late(world: World, rng: Random) -> str | None:
    """The feed tells three days after."""
    told, events = _billed_change(world, rng)
    store = world.boxes["stripe"].store
    for event in events:
        store.delete("_event", event["id"])

    def tell() -> None:
        for event in events:
            store.put("_event", event["id"], event)

    world.afterwards.append(tell)
    return f"{told}, and its event comes late" if told and events else told


def _event_doubled(world: World, rng: Random) -> str | None:
    told, events = _billed_change(world, rng)
    for event in events:
        double = {**event, "id": f"{event['id']}2"}
        world.boxes["stripe"].store.put("_event", double["id"], double)
    return f"{told}, and its event comes twice" if told and events else told


def _events_out_of_order(world: World, rng: Random) -> str | None:
    """What happened later says that it happened earlier."""
    first, before = _billed_change(world, rng)
    second, after = _billed_change(world, rng)
    store = world.boxes["stripe"].store
    for early, late in zip(before, after, strict=False):
        store.put("_event", early["id"], {**early, "created": late["created"] + 1})
        store.put("_event", late["id"], {**late, "created": early["created"]})
    return f"{first}, then {second}, told the other way round" if first and second else None


def _billed_change(world: World, rng: Random) -> tuple[str | None, list[Mapping[str, Any]]]:
    """A change in billing, and the events that tell of it."""
    before = {event["id"] for event in rows(world, "stripe", "_event")}
    told = _customer_edited(world, rng)
    return told, [event for event in rows(world, "stripe", "_event") if event["id"] not in before]


def _both_sides_edited(world: World, rng: Random) -> str | None:
    """The same customer is changed on both sides, and our own write comes back as a change."""
    told = [_account_edited(world, rng), _party_edited(world, rng)]
    return "; ".join(each for each in told if each) or None


# Beginnings


def _cut_over(world: World, rng: Random) -> str:
    """The company began with this product in the middle of a year."""
    return f"documents before {world.topology.domains['invoice'].cut_over} are compared, never made"


# The schedule


def _run_beside(world: World, rng: Random) -> str:
    """A second run starts while this one is under way."""
    world.nested()
    return "a second run has come and gone meanwhile"


MONEY, SALES = ("invoice",), ("order",)
CUSTOMERS = ("customer",)

KINDS: dict[str, tuple[Kind, Happen]] = {
    "F2.seen_late": (Kind(2, _ANY, CUSTOMERS), _seen_late),
    "F3.before_midnight": (Kind(2, {"start": 1}, CUSTOMERS), _before_midnight),
    "F4.account_deleted": (Kind(1, _ANY, CUSTOMERS), _account_deleted),
    "F4.account_restored": (Kind(1, _ANY, CUSTOMERS), _account_restored),
    "F4.party_deleted": (Kind(1, _ANY, CUSTOMERS), _party_deleted),
    "F4.party_entered_again": (Kind(1, _ANY, CUSTOMERS), _party_entered_again),
    "F5.merged": (Kind(2, _ANY, CUSTOMERS), _accounts_merged),
    "F5.merged_again": (Kind(1, _ANY, CUSTOMERS), _accounts_merged_again),
    "F5.unmerged": (Kind(1, _ANY, CUSTOMERS), _unmerged),
    "F5.purged": (Kind(1, _ANY, CUSTOMERS), _loser_purged),
    "F6.invoice_issued": (Kind(4, _ANY, MONEY), _invoice_issued),
    "F8.credited": (Kind(2, _ANY, MONEY), _invoice_credited),
    "F8.voided": (Kind(2, _ANY, MONEY), _invoice_voided),
    "F8.paid": (Kind(1, _ANY, MONEY), _invoice_paid),
    "F9.period_closed": (Kind(3, {"apply": 4, "step": 14, "write": 2}, MONEY), _period_closed),
    "F10.late_in_the_evening": (Kind(2, _ANY, MONEY), _invoice_late_in_the_evening),
    "F11.no_entity": (Kind(1, _ANY, MONEY), _invoice_without_entity),
    "F13.edited_meanwhile": (Kind(3, _BETWEEN, CUSTOMERS), _account_edited),
    "F13.entered_meanwhile": (Kind(2, _BETWEEN, CUSTOMERS), _account_entered),
    "F13.deal_won": (Kind(2, _ANY, SALES), _deal_won),
    "F4.deal_lost_again": (Kind(1, _ANY, SALES), _deal_lost_again),
    "F14.event_lost": (Kind(1, _ANY, CUSTOMERS), _event_lost),
    "F14.event_late": (Kind(1, _ANY, CUSTOMERS), _event_late),
    "F14.event_doubled": (Kind(1, _ANY, CUSTOMERS), _event_doubled),
    "F14.out_of_order": (Kind(1, _ANY, CUSTOMERS), _events_out_of_order),
    "F19.computed_anew": (Kind(2, _ANY, CUSTOMERS), _computed_anew),
    "F15.field_shorter": (Kind(1, {"start": 1, "step": 14}, ("entitlement",)), _field_shorter),
    "F15.field_dropped": (Kind(1, {"start": 1, "read": 20}, CUSTOMERS), _field_dropped),
    "F15.status_unknown": (Kind(2, _ANY, ("contract",)), _status_unknown),
    "F17.both_sides": (Kind(3, _ANY, CUSTOMERS), _both_sides_edited),
    "F17.party_edited": (Kind(2, _BETWEEN, CUSTOMERS), _party_edited),
    "F17.customer_edited": (Kind(1, _BETWEEN, CUSTOMERS), _customer_edited),
    "F21.run_beside": (Kind(2, {"step": 14, "apply": 3}), _run_beside),
    "F22.field_vanishes": (Kind(1, _ANY, CUSTOMERS), _field_vanishes),
    "F22.value_removed": (Kind(1, _ANY, CUSTOMERS), _value_removed),
    "F6.odd_cents": (Kind(2, _ANY, MONEY), _invoice_of_odd_cents),
    "F8.credited_at_once": (Kind(2, _ANY, MONEY), _credited_at_once),
    CUT_OVER: (Kind(2, {"start": 1}, MONEY), _cut_over),
    "F24.same_name": (Kind(2, _ANY, CUSTOMERS), _same_name),
    "F8.by_hand": (Kind(1, _ANY, MONEY), _invoice_entered_by_hand),
    "F8.voided_when_posted": (Kind(0, {"start": 1}, MONEY, from_run=2, share=0.25), _posted_invoice_voided),
    "F4.lost_when_ordered": (Kind(0, {"start": 1}, SALES, from_run=2, share=0.15), _ordered_deal_lost),
    "F6.three_decimals": (
        Kind(0, {"start": 1, "step": 6}, ("customer", "invoice"), share=0.08),
        _invoice_of_three_decimals,
    ),
    "F11.other_entity": (Kind(0, {"start": 1, "step": 6}, share=0.08), _other_entity),
    "F6.large": (Kind(0, {"start": 1, "step": 6}, MONEY, share=0.1), _large_invoice),
}
"""Each with how it is drawn and what it does."""
