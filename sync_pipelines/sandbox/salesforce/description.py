"""Endpoints that describe: versions, resources, objects and their fields, limits, who is asking."""

from __future__ import annotations

from typing import Any

from sync_pipelines.sandbox.salesforce.schema import NUMERIC, TEXTUAL, Field, Object
from sync_pipelines.sandbox.salesforce.wire import Answer, Api, Call

_SEASONS = ("Spring", "Summer", "Winter")
_SOAP_TYPES = {"boolean": "xsd:boolean", "int": "xsd:int", "date": "xsd:date", "datetime": "xsd:dateTime"}


def versions(api: Api, call: Call) -> Answer:
    behaviour = api.org.schema.behaviour
    return Answer(
        [
            {"label": _label(number), "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
            for number in range(behaviour.oldest_version, behaviour.newest_version + 1)
        ]
    )


def _label(number: int) -> str:
    """Three releases a year; 66 is Spring '26."""
    season, year = _SEASONS[number % 3], 4 + number // 3
    return f"{season} '{year if season != 'Winter' else year + 1:02}"


def resources(api: Api, call: Call) -> Answer:
    names = ("sobjects", "query", "queryAll", "composite", "limits")
    return Answer({name: f"{call.data}/{name}" for name in names})


def limits(api: Api, call: Call) -> Answer:
    usage = api.usage
    daily = {"Max": usage.allowed, "Remaining": max(usage.allowed - usage.used, 0)}
    return Answer({"DailyApiRequests": daily})


def user(api: Api, call: Call) -> Answer:
    me = api.org.schema.user_id
    return Answer({"sub": f"{call.host}/id/{api.org.id}/{me}", "user_id": me, "organization_id": api.org.id})


def everything(api: Api, call: Call) -> Answer:
    listed = [_object(call, thing) for thing in api.org.schema.objects.values()]
    return Answer({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed})


def one(api: Api, call: Call) -> Answer:
    return Answer({"objectDescribe": _object(call, api.object(call)), "recentItems": []})


def describe(api: Api, call: Call) -> Answer:
    thing = api.object(call)
    children = [
        {"childSObject": child.name, "field": field.name, "relationshipName": field.children or None}
        for child, field in api.org.schema.references_to(thing.name)
    ]
    fields = [_field(field) for field in thing.fields.values()]
    return Answer({**_object(call, thing), "childRelationships": children, "fields": fields})


def _object(call: Call, thing: Object) -> dict[str, Any]:
    url = f"{call.data}/sobjects/{thing.name}"
    return {
        "name": thing.name,
        "label": thing.name,
        "keyPrefix": thing.prefix,
        "custom": thing.name.endswith("__c"),
        "createable": not thing.readonly,
        "updateable": not thing.readonly,
        "deletable": not thing.readonly,
        "undeletable": not thing.readonly,
        "mergeable": thing.mergeable,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "urls": {"sobject": url, "describe": f"{url}/describe", "rowTemplate": f"{url}/{{ID}}"},
    }


def _field(field: Field) -> dict[str, Any]:
    values = [
        {"value": value, "label": value, "active": True, "defaultValue": value == field.default}
        for value in field.values
    ]
    return {
        "name": field.name,
        "label": field.name.removesuffix("__c").replace("_", " "),
        "type": field.type,
        "soapType": _soap_type(field),
        "length": 18 if field.type in ("id", "reference") else field.length,
        "byteLength": 3 * (18 if field.type in ("id", "reference") else field.length),
        "precision": 0 if field.type == "int" else field.precision,
        "digits": field.precision if field.type == "int" else 0,
        "scale": field.scale,
        "nillable": not field.required and field.type not in ("boolean", "id"),
        "createable": field.createable,
        "updateable": field.updateable,
        "defaultedOnCreate": field.type == "boolean" or field.default is not None,
        "unique": field.unique,
        "externalId": field.external,
        "idLookup": field.external or field.type == "id",
        "calculated": bool(field.formula) and field.name.endswith("__c"),
        "autoNumber": bool(field.auto_number),
        "custom": field.name.endswith("__c"),
        "restrictedPicklist": field.restricted,
        "picklistValues": values,
        "referenceTo": [field.to] if field.to else [],
        "relationshipName": field.relation or None,
        "filterable": True,
        "sortable": True,
        "groupable": field.type in (*TEXTUAL, "boolean", "date", "int", "reference", "id"),
        "aggregatable": field.type in (*NUMERIC, "date", "datetime", "string", "id"),
    }


def _soap_type(field: Field) -> str:
    if field.type in ("id", "reference"):
        return "tns:ID"
    if field.type in ("currency", "double", "percent"):
        return "xsd:double"
    return _SOAP_TYPES.get(field.type, "xsd:string")
