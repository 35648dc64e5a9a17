"""Walking through pages: small classes that ask for the next page and refuse to go round in circles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sync_pipelines.errors import MalformedPage

P = TypeVar("P")
K = TypeVar("K", bound=Any)


@dataclass(frozen=True, slots=True)
class NextLink(Generic[P]):
    """Each page names the address (or opaque cursor) of the next one, the last page names none.

    >>> pages = {"/a": (1, "/b"), "/b": (2, None)}
    >>> [number for number, _ in NextLink(pages.__getitem__, lambda page: page[1]).pages("/a")]
    [1, 2]
    """

    fetch: Callable[[str], P]
    link_of: Callable[[P], str | None]

    def pages(self, first: str) -> Iterator[P]:
        """Every page from `first` on; `MalformedPage` when a page points back to one already seen."""
        link: str | None = first
        seen: set[str] = set()
        while link:
            if link in seen:
                raise MalformedPage("a page names itself or an earlier one as the next page")
            seen.add(link)
            page = self.fetch(link)
            yield page
            link = self.link_of(page)


@dataclass(frozen=True, slots=True)
class Keyset(Generic[K, P]):
    """Each page starts after the greatest key of the one before; inserts and updates can't shift it.

    `key_of` gives the last key of a page that has a successor, and None for the last page.

    >>> rows = [1, 2, 3]
    >>> fetch = lambda after: [row for row in rows if after is None or row > after][:2]
    >>> list(Keyset(fetch, lambda page: page[-1] if len(page) == 2 else None).pages(None))
    [[1, 2], [3]]
    """

    fetch: Callable[[K | None], P]
    key_of: Callable[[P], K | None]

    def pages(self, after: K | None) -> Iterator[P]:
        """Every page after the key; `MalformedPage` when the key of a page is not past the one before."""
        while True:
            page = self.fetch(after)
            yield page
            key = self.key_of(page)
            if key is None:
                return
            if after is not None and not key > after:
                raise MalformedPage(f"a page ends at {key!r}, which is not past {after!r}, where it started")
            after = key
