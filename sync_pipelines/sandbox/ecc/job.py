"""The batch job of one window."""

from __future__ import annotations

from typing import Any

from sync_pipelines.sandbox.ecc.books import Books
from sync_pipelines.sandbox.ecc.extracting import extract
from sync_pipelines.sandbox.ecc.intake import take
from sync_pipelines.sandbox.ecc.posting import post

__all__ = ["extract", "run_window"]


def run_window(books: Books) -> dict[str, Any]:
    """Post what an earlier window took, take what lies in `/in`, and write extracts: what goes out in one window is
    acknowledged in a later one."""
    with books.store.lock:
        return {"posted": post(books), "taken": take(books), "extracted": extract(books)}
