"""What Gainsight's answers mean: codes to recovery, whatever the HTTP status that they come with.

Source: support.gainsight.com, the error tables of the Company, Custom Object and CTA APIs. A business failure may come
with HTTP 200 and `result` false, and nothing found is told in three ways.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
import requests

from sync_pipelines.errors import FixConfiguration, RetryLater, SetAside, SyncError
from sync_pipelines.systems.http import retry_after

API_VERSION = "v1"
DECLARED_IN = "sync_pipelines/mappings/gainsight/objects.toml"
NO_MATCH = "GSOBJ_1011"
WINDOW_SECONDS = 60.0
"""Limits count by the minute, and no answer says how much of it is left."""

REFUSALS: Mapping[str, str] = {
    "GSOBJ_1001": "a value is longer than its field",
    "GSOBJ_1004": "an id is none",
    "GSOBJ_1005": "a time is none",
    "GSOBJ_1006": "a date is none",
    "GSOBJ_1007": "a required value is missing",
    "GSOBJ_1008": "a value does not fit its field",
    NO_MATCH: "the record does not exist",
}
"""Codes that refuse records for what they say, in words for people; the vendor's text may quote values."""

CONFIGURATION: Mapping[str, str] = {
    "GSOBJ_1002": "a field does not exist: make it in the tenant, or mend the mappings of gainsight",
    "GSOBJ_1023": "there is no such object or path: check the url, and whether the API version is still answered",
    "GSOBJ_1024": "it takes neither the access key nor the token: check the credentials",
    "GS_APIG_2401": "it refuses the credentials: check them, an access key is dead once another was made",
    "GS_APIG_2402": "it answers listed addresses only: let an administrator add the one that calls come from",
    "COCKPIT_5101": f"a field can't be selected: mend {DECLARED_IN}",
}

_NAMES = re.compile(r"[A-Za-z]\w{0,79}(?:\.\w{1,80})?(?:, [A-Za-z]\w{0,79}(?:\.\w{1,80})?)*$")
"""What the text about a field ends with."""


class Envelope(msgspec.Struct):
    """What stands around the data of an answer."""

    result: bool = True
    errorCode: str | None = None  # noqa: N815 (the vendor's name)
    errorDesc: str | None = None  # noqa: N815 (the vendor's name)


def classify(response: requests.Response) -> SyncError | None:
    """The error that an answer calls for; None for success, for 401 and for an unexplained 5xx."""
    status = response.status_code
    if status == 401 or status >= 500:
        return None
    if status == 429:
        after = retry_after(response) or WINDOW_SECONDS
        return RetryLater("Gainsight asks for patience: the calls of this minute or day are used up", after=after)
    told = _envelope_in(response)
    if status < 300 and told.result:
        return None
    code = told.errorCode or f"HTTP {status}"
    if "no data" in (told.errorDesc or "").lower():
        code = NO_MATCH
    if status in (404, 410):
        return FixConfiguration(
            f"Gainsight does not answer this path (HTTP {status}, {code}): "
            f"check the url, and whether API version {API_VERSION} is still answered"
        )
    return _refusal(code, told.errorDesc or "", status)


def _refusal(code: str, words: str, status: int) -> SyncError:
    if code in REFUSALS:
        return SetAside(f"Gainsight: {REFUSALS[code]} ({code})", code=code)
    if code in CONFIGURATION:
        named = _NAMES.search(words) if code in ("GSOBJ_1002", "COCKPIT_5101") else None
        return FixConfiguration(f"Gainsight: {CONFIGURATION[code]} ({code})" + (f" [{named[0]}]" if named else ""))
    return FixConfiguration(f"Gainsight refuses the call itself (HTTP {status}, {code})")


def _envelope_in(response: requests.Response) -> Envelope:
    try:
        return msgspec.json.decode(response.content, type=Envelope)
    except msgspec.MsgspecError:
        return Envelope()
