from __future__ import annotations

import pytest

from sync_pipelines.errors import MalformedPage
from sync_pipelines.systems.pagination import Keyset, NextLink


def test_links_are_followed_until_a_page_names_none():
    pages = {"/1": ("a", "/2"), "/2": ("b", "/3"), "/3": ("c", None)}

    walked = NextLink(pages.__getitem__, lambda page: page[1]).pages("/1")

    assert [page[0] for page in walked] == ["a", "b", "c"]


def test_links_that_go_round_in_circles_are_malformed():
    pages = {"/1": ("a", "/2"), "/2": ("b", "/1")}

    with pytest.raises(MalformedPage):
        list(NextLink(pages.__getitem__, lambda page: page[1]).pages("/1"))


def test_rows_inserted_while_paging_shift_nothing():
    rows = [1, 3, 5, 7]

    def fetch(after):
        page = [row for row in rows if after is None or row > after][:2]
        if after is None:
            rows.insert(0, 0)
        return page

    pages = Keyset(fetch, lambda page: page[-1] if len(page) == 2 else None).pages(None)

    assert [row for page in pages for row in page] == [1, 3, 5, 7]


def test_a_key_that_does_not_advance_is_malformed():
    with pytest.raises(MalformedPage, match="not past 5"):
        list(Keyset(lambda after: [5], lambda page: page[-1]).pages(None))
