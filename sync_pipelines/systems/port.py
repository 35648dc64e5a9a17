"""The port lives in the engine; adapters and their tests may name it from here."""

from sync_pipelines.engine.port import (
    Calls,
    Counting,
    Cursor,
    Deletes,
    Found,
    Operation,
    Outcome,
    Page,
    Passport,
    Request,
    Shape,
    State,
    System,
)

__all__ = [
    "Calls",
    "Counting",
    "Cursor",
    "Deletes",
    "Found",
    "Operation",
    "Outcome",
    "Page",
    "Passport",
    "Request",
    "Shape",
    "State",
    "System",
]
