from __future__ import annotations

import pytest

from sync_pipelines.errors import MalformedPage
from sync_pipelines.systems.splitting import Splitter

PAGE = b'{"done":false,"nextRecordsUrl":"/q/2","records":[{"Id":"1","Amount":10.10,"x":{"Id":"no"}},{"Id":"2"}]}'


def test_payloads_are_the_very_bytes_that_came():
    page = Splitter(("records",), {"Id": str}).split(PAGE)

    assert page.payloads == [b'{"Id":"1","Amount":10.10,"x":{"Id":"no"}}', b'{"Id":"2"}']
    assert page.columns == {"Id": ["1", "2"]}


def test_what_stands_beside_the_records_can_be_asked():
    page = Splitter(("records",), {"Id": str}).split(PAGE)

    assert page.value("nextRecordsUrl", str) == "/q/2"
    assert page.value("done", bool) is False
    assert page.value("absent") is None


def test_records_may_lie_deeper_or_be_the_page_itself():
    deep = Splitter(("data", "rows"), {"id": int}).split(b'{"data":{"rows":[{"id":1}],"more":true}}')
    flat = Splitter((), {"id": int}).split(b'[{"id":2}]')

    assert (deep.columns["id"], flat.columns["id"]) == ([1], [2])
    assert deep.value("more", bool) is True


def test_records_may_be_wrapped_in_the_name_of_their_kind():
    wrapped = Splitter(("list",), {"id": str}, wrapped_in="item")

    page = wrapped.split(b'{"list":[{"item":{"id":"1","price":1.10},"card":{}}],"next_offset":"x"}')

    assert (page.payloads, page.columns, page.value("next_offset")) == (
        [b'{"id":"1","price":1.10}'],
        {"id": ["1"]},
        "x",
    )
    with pytest.raises(MalformedPage):
        wrapped.split(b'{"list":[{"card":{"id":"1"}}]}')


def test_an_optional_key_may_be_absent():
    page = Splitter((), {"deleted": bool | None, "id": str}).split(b'[{"id":"1"},{"id":"2","deleted":true}]')

    assert page.columns == {"deleted": [None, True], "id": ["1", "2"]}


@pytest.mark.parametrize("body", [b'{"records":[{"Id":"1"}', b'{"rows":[]}', b'{"records":[{}]}', b"<html>", b""])
def test_a_page_that_is_not_whole_is_refused(body):
    with pytest.raises(MalformedPage):
        Splitter(("records",), {"Id": str}).split(body)
