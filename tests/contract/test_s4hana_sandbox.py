"""The S/4HANA stand-in as an independent client sees it: `pyodata`, over a socket; and its wire, call by call."""

from __future__ import annotations

import datetime as dt
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pyodata
    from pyodata.exceptions import HttpError

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.s4hana import seed
from sync_pipelines.sandbox.s4hana.schema import load_services, metadata
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.transport import InProcess

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
ROOT = "/sap/opu/odata/sap"
USER = ("SYNC", "sandbox-password")
EDM = "{http://schemas.microsoft.com/ado/2008/09/edm}"
FETCH = {"X-CSRF-Token": "Fetch"}
AREA = {"SalesOrganization": "1010", "DistributionChannel": "10", "Division": "00", "Currency": "EUR"}
CUSTOMER = {
    "BusinessPartnerCategory": "2",
    "OrganizationBPName1": "Müller & Söhne",
    "BusinessPartnerIDByExtSystem": "c-1",
    "to_BusinessPartnerAddress": [
        {"StreetName": "Ring 1", "Country": "DE", "to_EmailAddress": [{"EmailAddress": "a@mueller.example"}]}
    ],
    "to_BusinessPartnerRole": [{"BusinessPartnerRole": "FLCU01"}],
    "to_Customer": {"to_CustomerSalesArea": [AREA]},
}
RULES = ("creatable", "updatable", "deletable", "display-format", "ConcurrencyMode")
CONTRACTS = next(
    (path for folder in Path(__file__).parents if (path := folder / "shared" / "contracts").is_dir()),
    None,
)


def order(customer: str, *, price: str = "17.55", quantity: str = "5", **more: Any) -> dict[str, Any]:
    prices = [{"ConditionType": "PPR0", "ConditionRateValue": price, "ConditionCurrency": "EUR"}]
    item = {"Material": "TG11", "RequestedQuantity": quantity, "to_PricingElement": prices}
    return {
        "SalesOrderType": "OR",
        "SalesOrganization": "1010",
        "DistributionChannel": "10",
        "OrganizationDivision": "00",
        "SoldToParty": customer,
        "PurchaseOrderByCustomer": "SUB-42/2026-11",
        "to_Item": [item],
        **more,
    }


def system() -> Sandbox:
    sandbox = open_sandbox("s4hana", Store(None), clock=VirtualClock(NOW))
    seed(sandbox.store, {"material": [{"Material": "TG11"}]})
    return sandbox


class Wire:
    """The stand-in called directly, by a user who has a token."""

    def __init__(self) -> None:
        self.sandbox = system()
        self.session = requests.Session()
        self.session.mount("http://s4.test", InProcess(self.sandbox))
        self.session.auth = USER
        self.session.headers["Accept"] = "application/json"
        self.token()

    def token(self) -> None:
        answer = self.session.get(f"http://s4.test{ROOT}/API_BUSINESS_PARTNER/", headers=FETCH)
        self.session.headers["X-CSRF-Token"] = answer.headers["x-csrf-token"]

    def response(self, method: str, path: str, **more: Any) -> requests.Response:
        services = {"A_Sales": "API_SALES_ORDER_SRV", "A_Billi": "API_BILLING_DOCUMENT_SRV"}
        service = services.get(path[:7], "API_BUSINESS_PARTNER")
        return self.session.request(method, f"http://s4.test{ROOT}/{service}/{path}", **more)

    def call(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        response = self.response(method, path, **more)
        assert response.status_code == status, response.text
        return response.json()["d"] if "json" in response.headers.get("Content-Type", "") and status < 400 else response

    def customer(self, **more: Any) -> str:
        made = self.call("POST", "A_BusinessPartner", 201, json={**CUSTOMER, **more})
        return str(made["BusinessPartner"])

    def batch(self, service: str, *sets: list[tuple[str, str, str, str]]) -> requests.Response:
        """A batch of change sets, each of operations: method, path, header, body."""
        text = ""
        for number, operations in enumerate(sets):
            text += f"--b\r\nContent-Type: multipart/mixed; boundary=c{number}\r\n\r\n"
            for method, path, header, body in operations:
                text += f"--c{number}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
                text += f"{method} {path} HTTP/1.1\r\nContent-Type: application/json\r\n{header}\r\n\r\n{body}\r\n"
            text += f"--c{number}--\r\n"
        url = f"http://s4.test{ROOT}/{service}/$batch"
        kind = {"Content-Type": "multipart/mixed; boundary=b"}
        return self.session.post(url, data=(text + "--b--\r\n").encode(), headers=kind)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@dataclass
class Witness:
    sandbox: Sandbox
    partners: Any
    orders: Any


@pytest.fixture
def witness() -> Iterator[Witness]:
    sandbox = system()
    with serve(sandbox) as running, requests.Session() as session:
        session.auth = USER
        url = f"{running.url}{ROOT}"
        answer = session.get(f"{url}/API_BUSINESS_PARTNER/", headers=FETCH, timeout=5)
        session.headers["X-CSRF-Token"] = answer.headers["x-csrf-token"]
        clients = (
            pyodata.Client(f"{url}/{name}/", session) for name in ("API_BUSINESS_PARTNER", "API_SALES_ORDER_SRV")
        )
        yield Witness(sandbox, *clients)


def test_the_client_makes_finds_and_changes_a_business_partner(witness: Witness) -> None:
    partners = witness.partners.entity_sets.A_BusinessPartner
    made = partners.create_entity().set(**{**CUSTOMER, "to_Customer": CUSTOMER["to_Customer"]}).execute()

    update = partners.update_entity(BusinessPartner=made.BusinessPartner)
    update.set(OrganizationBPName1="Müller AG").add_headers({"If-Match": made.etag})
    update.execute()

    named = partners.get_entities().filter("BusinessPartnerIDByExtSystem eq 'C-1'")
    (found,) = named.expand("to_BusinessPartnerAddress/to_EmailAddress").execute()
    (address,) = found.to_BusinessPartnerAddress
    assert (found.BusinessPartnerFullName, found.Customer) == ("Müller AG", made.BusinessPartner)
    assert (address.StreetName, address.to_EmailAddress[0].EmailAddress) == ("Ring 1", "a@mueller.example")
    assert found.CreationDate == dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


def test_the_client_is_told_that_its_version_is_old(witness: Witness) -> None:
    partners = witness.partners.entity_sets.A_BusinessPartner
    made = partners.create_entity().set(**CUSTOMER).execute()
    update = partners.update_entity(BusinessPartner=made.BusinessPartner).set(OrganizationBPName1="Other")

    with pytest.raises(HttpError) as bare:
        update.execute()
    update.add_headers({"If-Match": "W/\"'SYNC20200101000000'\""})
    with pytest.raises(HttpError) as old:
        update.execute()

    assert (bare.value.response.status_code, old.value.response.status_code) == (428, 412)


def test_the_client_creates_an_order_in_a_change_set_and_counts_it(witness: Witness) -> None:
    made = witness.partners.entity_sets.A_BusinessPartner.create_entity().set(**CUSTOMER).execute()
    orders = witness.orders.entity_sets.A_SalesOrder
    batch, changes = witness.orders.create_batch(), witness.orders.create_changeset()
    changes.add_request(orders.create_entity().set(**order(made.BusinessPartner)))
    batch.add_request(changes)

    ((sale,),) = batch.execute()

    assert (str(sale.TotalNetAmount), sale.TransactionCurrency) == ("87.75", "EUR")
    assert orders.get_entities().count().execute() == 1
    since = orders.get_entities().filter("LastChangeDateTime ge datetimeoffset'2026-11-23T12:00:00Z'")
    assert [each.SalesOrder for each in since.execute()] == [sale.SalesOrder]


@pytest.mark.parametrize("service", sorted(load_services()))
def test_what_is_published_is_a_part_of_what_the_vendor_publishes(service: str) -> None:
    if CONTRACTS is None:
        pytest.skip("the vendor's EDMX is not at hand")
    theirs = ET.parse(CONTRACTS / f"sap-{service}.edmx").getroot()
    ours = ET.fromstring(metadata(service, load_services()[service]))

    for kind in ("EntityType", "EntitySet"):
        for mine in ours.iter(f"{EDM}{kind}"):
            (other,) = (each for each in theirs.iter(f"{EDM}{kind}") if each.get("Name") == mine.get("Name"))
            assert _unlike(mine, other, kind == "EntityType") == []


def _unlike(mine: ET.Element, other: ET.Element, whole: bool) -> list[str]:
    """What an element says otherwise than the vendor's: every property, key and way of it has to be there."""
    wrong = [f"{mine.get('Name')} {key}: {_facets(other).get(key)}" for key in _unequal(_facets(mine), _facets(other))]
    if whole:
        keys = [[ref.get("Name") for ref in each.iter(f"{EDM}PropertyRef")] for each in (mine, other)]
        wrong += ["key"] * (keys[0] != keys[1])
        for kind in ("Property", "NavigationProperty"):
            theirs = {each.get("Name"): each for each in other.iter(f"{EDM}{kind}")}
            for each in mine.iter(f"{EDM}{kind}"):
                name = each.get("Name")
                wrong += _unlike(each, theirs[name], False) if name in theirs else [f"no {kind} {name}"]
    return wrong


def _unequal(mine: dict[str, str], other: dict[str, str]) -> list[str]:
    """Whatever ours says, and the rules that theirs has, have to be the same."""
    rules = {key for key in other if key.endswith(RULES) and other[key] in ("false", "UpperCase", "Fixed")}
    return sorted(key for key in mine.keys() | rules if mine.get(key) != other.get(key))


def _facets(element: ET.Element) -> dict[str, str]:
    """What an element says of itself; texts for people and names that differ from system to system are left out."""
    dropped = ("Relationship", "FromRole", "ToRole", "label")
    return {key: text for key, text in element.items() if not key.endswith(dropped)}


def test_a_change_needs_a_token_and_the_cookie_of_its_session(wire: Wire) -> None:
    wire.session.cookies.clear()

    refused = wire.response("POST", "A_BusinessPartner", json=CUSTOMER)
    wire.token()

    assert (refused.status_code, refused.headers["x-csrf-token"]) == (403, "Required")
    assert wire.customer() == "10000001"


def test_a_session_ends_after_half_an_hour_and_its_token_with_it(wire: Wire) -> None:
    wire.sandbox.clock.advance(1801)

    assert wire.response("POST", "A_BusinessPartner", json=CUSTOMER).status_code == 403
    assert wire.sandbox.store.count("A_BusinessPartner") == 0


def test_a_wrong_password_is_answered_with_a_page_for_people(wire: Wire) -> None:
    wire.session.auth = ("SYNC", "wrong")

    refused = wire.response("GET", "A_BusinessPartner")

    assert (refused.status_code, refused.headers["Content-Type"]) == (401, "text/html; charset=utf-8")


def test_a_new_partner_tells_no_time_of_change_until_it_is_changed(wire: Wire) -> None:
    number = wire.customer()
    new = wire.call("GET", f"A_BusinessPartner('{number}')")
    wire.sandbox.clock.advance(60)
    wire.call(
        "PATCH", f"A_BusinessPartner('{number}')", 204, json={"OrganizationBPName1": "M"}, headers={"If-Match": "*"}
    )
    changed = wire.call("GET", f"A_BusinessPartner('{number}')")

    assert (new["LastChangeDate"], new["LastChangeTime"], new["CreationTime"]) == (None, "PT00H00M00S", "PT13H00M00S")
    assert (changed["LastChangeDate"], changed["LastChangeTime"]) == ("/Date(1795392000000)/", "PT13H01M00S")
    assert new["__metadata"]["etag"] != changed["__metadata"]["etag"]


def test_a_change_to_an_address_changes_its_partner(wire: Wire) -> None:
    number = wire.customer()
    (address,) = wire.call("GET", f"A_BusinessPartner('{number}')/to_BusinessPartnerAddress")["results"]
    wire.sandbox.clock.advance(60)
    key = f"BusinessPartner='{number}',AddressID='{address['AddressID']}'"
    wire.call("PATCH", f"A_BusinessPartnerAddress({key})", 204, json={"CityName": "Ulm"})

    assert wire.call("GET", f"A_BusinessPartner('{number}')")["LastChangeTime"] == "PT13H01M00S"


def test_a_change_set_is_stored_whole_or_not_at_all_and_the_next_one_stands_for_itself(wire: Wire) -> None:
    new = '{"BusinessPartnerCategory":"2","OrganizationBPName1":"%s"}'
    answer = wire.batch(
        "API_BUSINESS_PARTNER",
        [("POST", "A_BusinessPartner", "", new % "A"), ("POST", "A_BusinessPartner", "", new % ("x" * 41))],
        [("POST", "A_BusinessPartner", "", new % "B")],
    )

    assert (answer.status_code, answer.text.count("HTTP/1.1 400"), answer.text.count("HTTP/1.1 201")) == (202, 1, 1)
    assert [row["OrganizationBPName1"] for row in wire.sandbox.store.all("A_BusinessPartner")] == ["B"]


def test_an_order_can_be_changed_and_deleted_with_its_version_alone(wire: Wire) -> None:
    sale = wire.call("POST", "A_SalesOrder", 201, json=order(wire.customer()))
    path, tag = f"A_SalesOrder('{sale['SalesOrder']}')", sale["__metadata"]["etag"]
    wire.sandbox.clock.advance(1)

    assert tag == "W/\"datetimeoffset'2026-11-23T12%3A00%3A00.0000000Z'\""
    assert wire.response("PATCH", path, json={"DeliveryBlockReason": "01"}).status_code == 428
    wire.call("PATCH", path, 204, json={"DeliveryBlockReason": "01"}, headers={"If-Match": tag})
    assert wire.response("DELETE", path, headers={"If-Match": tag}).status_code == 412
    wire.call("DELETE", path, 204, headers={"If-Match": "*"})
    assert wire.response("GET", path).json()["error"]["code"] == "SY/530"
    assert wire.sandbox.store.count("A_SalesOrderItem") == 0


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"SoldToParty": "999"}, "V1/048"),
        ({"SalesOrganization": "2020"}, "V1/048"),
        ({"to_Item": [{"Material": "GONE", "RequestedQuantity": "1"}]}, "V1/382"),
        ({"to_Item": [{"Material": "TG11", "RequestedQuantity": "1.2345"}]}, "/IWCOR/CX_DS_EDM_FACET_ERROR"),
        ({"to_Item": [{"Material": "TG11", "RequestedQuantity": 1}]}, "/IWFND/CM_MGW/096"),
        ({"TransactionCurrency": "USD"}, "VE/108"),
        ({"Colour": "red"}, "/IWBEP/CM_MGW_RT/021"),
        ({"TotalNetAmount": "1"}, "/IWFND/CM_MGW/096"),
    ],
)
def test_an_order_that_breaks_a_rule_is_refused_whole(wire: Wire, wrong: dict[str, Any], code: str) -> None:
    refused = wire.response("POST", "A_SalesOrder", json={**order(wire.customer()), **wrong})

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)
    assert wire.sandbox.store.count("A_SalesOrder") == wire.sandbox.store.count("A_SalesOrderItem") == 0


def test_billing_documents_can_only_be_read(wire: Wire) -> None:
    document = {"BillingDocument": "90000001", "TotalNetAmount": "119.00", "BillingDocumentIsCancelled": True}
    seed(wire.sandbox.store, {"A_BillingDocument": [document]})

    (found,) = wire.call("GET", "A_BillingDocument?$filter=TotalNetAmount gt 100m")["results"]

    assert (found["TotalNetAmount"], found["BillingDocumentIsCancelled"]) == ("119.00", True)
    assert wire.response("POST", "A_BillingDocument", json={}).status_code == 405


def test_a_long_list_comes_in_pages_that_name_the_next(wire: Wire) -> None:
    wire.sandbox.vendor.admin("settings", {"page_max": 2})
    numbers = [wire.customer() for _ in range(3)]

    first = wire.call("GET", "A_BusinessPartner?$select=BusinessPartner&$inlinecount=allpages")
    second = wire.session.get(first["__next"]).json()["d"]

    assert [each["BusinessPartner"] for page in (first, second) for each in page["results"]] == numbers
    assert (first["__count"], "$skiptoken=2" in unquote(first["__next"])) == ("3", True)
    assert "__next" not in second


def test_a_way_that_is_selected_by_itself_leads_to_whole_entities(wire: Wire) -> None:
    wire.customer()
    path, way = "A_BusinessPartner('10000001')", "to_BusinessPartnerAddress"

    part = wire.call("GET", f"{path}?$expand={way}&$select={way}/Country")[way]["results"][0]
    whole = wire.call("GET", f"{path}?$expand={way}&$select={way},{way}/Country")[way]["results"][0]

    assert set(part) == {"__metadata", "Country"}
    assert whole["StreetName"] == "Ring 1"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("$filter=startswith(OrganizationBPName1,'M') and not BusinessPartnerIsBlocked eq true", 2),
        ("$filter=substringof('O''Neil',OrganizationBPName1)", 1),
        ("$filter=(BusinessPartner eq '10000001' or BusinessPartner eq '10000002')", 2),
        ("$filter=LastChangeDate eq null and CreationDate ge datetime'2026-11-23T00:00:00'", 2),
        ("$filter=CreationDate lt datetime'2026-11-23T00:00:00'", 0),
        ("$filter=CreationTime ge time'PT13H00M01S'", 0),
        ("$orderby=OrganizationBPName1 desc&$top=1", 1),
        ("$skip=1", 1),
    ],
)
def test_a_list_is_filtered_and_cut(wire: Wire, query: str, found: int) -> None:
    wire.customer()
    wire.customer(OrganizationBPName1="Müller & O'Neil")

    assert len(wire.call("GET", f"A_BusinessPartner?{query}")["results"]) == found


@pytest.mark.parametrize("query", ["$filter=Colour eq 'red'", "$filter=Customer eq 1", "$select=Colour", "$page=2"])
def test_a_query_that_can_not_be_understood_is_refused(wire: Wire, query: str) -> None:
    assert wire.response("GET", f"A_BusinessPartner?{query}").status_code == 400


def test_a_commit_whose_reply_is_lost_is_kept_and_doubled_by_a_second_call(wire: Wire) -> None:
    number = wire.customer()
    wire.sandbox.faults.add(Rule(route="POST .*A_SalesOrder", kind="drop_after_commit", nth=1))

    with pytest.raises(requests.ConnectionError):
        wire.response("POST", "A_SalesOrder", json=order(number))
    wire.call("POST", "A_SalesOrder", 201, json=order(number))

    assert wire.sandbox.store.count("A_SalesOrder") == 2
