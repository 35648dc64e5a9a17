"""What the doctor says of a system whose own configuration does not fit the mappings."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from sync_pipelines.doctor import examine
from sync_pipelines.domains import DOMAINS
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve

TOPOLOGY = """
[planes]
database_url = "{database}"
[systems.hubspot]
adapter = "hubspot"
url = "{url}"
service_key = "pat-na1-sandbox"
exceptions = "revops"
[systems.salesforce]
adapter = "salesforce"
url = "http://127.0.0.1:9"
client_id = "none"
client_secret = "none"
exceptions = "revops"
[legal_entities.US01]
name = "Meridian"
zone = "America/New_York"
currency = "USD"
[people]
revops = {{ name = "Revenue Operations", due_hours = 24 }}
[domains.customer]
systems = ["salesforce", "hubspot"]
exceptions = {{ default = "revops" }}
schedule = {{ cron = "0 2 * * *", zone = "America/New_York" }}
[domains.customer.owners]
{owners}
"""


def test_the_doctor_names_a_property_that_the_portal_does_not_have(
    postgres: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal, database = open_sandbox("hubspot"), f"doctor_{uuid4().hex[:12]}"
    postgres.ensure(database)
    monkeypatch.setenv("SYNC_STATE", str(tmp_path / "state"))
    with serve(portal) as running:
        path = tmp_path / "sync.toml"
        owners = "\n".join(f'{field.name} = "salesforce"' for field in DOMAINS["customer"].fields)
        path.write_text(TOPOLOGY.format(database=postgres.url(database), url=running.url, owners=owners))
        before = {each.subject: (each.well, each.told) for each in examine(path)}
        portal.vendor.admin("alter", {"object": "companies", "property": "tax_id", "changes": None})
        after = {each.subject: (each.well, each.told) for each in examine(path)}
    postgres.drop(database)

    assert before["hubspot"] == (True, "555001 answers, API 2026-09; companies 0, contacts 0, deals 0, line_items 0")
    assert after["hubspot"][0] is False
    assert "[companies] there is no property 'tax_id'" in after["hubspot"][1]
