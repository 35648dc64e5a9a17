"""What the gateway and the applications behind it refuse, in the shape of an OData error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_GATEWAY = "/IWBEP/CM_MGW_RT"


class Refusal(Exception):
    """A call, or an operation of a batch, is refused and nothing of it is stored."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    def body(self, service: str, stamp: str) -> dict[str, Any]:
        detail = {"code": self.code, "message": str(self), "propertyref": "", "severity": "error", "target": ""}
        return {
            "error": {
                "code": self.code,
                "message": {"lang": "en", "value": str(self)},
                "innererror": {
                    "application": {
                        "component_id": "",
                        "service_namespace": "/SAP/",
                        "service_id": service,
                        "service_version": "0001",
                    },
                    "transactionid": "0" * 32,
                    "timestamp": stamp,
                    "Error_Resolution": {"SAP_Transaction": "Run transaction /IWFND/ERROR_LOG"},
                    "errordetails": [detail],
                },
            }
        }


def not_found(what: str) -> Refusal:
    return Refusal(404, "SY/530", f"Resource not found for segment '{what}'")


def unknown_property(name: str, set_name: str) -> Refusal:
    return Refusal(400, f"{_GATEWAY}/021", f"Property {name} not found in type {set_name}Type")


def invalid(message: str) -> Refusal:
    """A body or a query that can't be read."""
    return Refusal(400, "/IWFND/CM_MGW/096", message)


def facet(name: str) -> Refusal:
    """A value that its property has no room for."""
    return Refusal(400, "/IWCOR/CX_DS_EDM_FACET_ERROR", f"Property '{name}' has an invalid value: facet violated")


def not_allowed(what: str) -> Refusal:
    return Refusal(405, f"{_GATEWAY}/022", f"{what} is not supported")


def stale() -> Refusal:
    return Refusal(412, f"{_GATEWAY}/412", "Precondition failed")


def unconditional() -> Refusal:
    return Refusal(428, f"{_GATEWAY}/428", "Precondition required: send the header If-Match")


def broken(code: str, message: str) -> Refusal:
    """A rule of the business."""
    return Refusal(400, code, message)
