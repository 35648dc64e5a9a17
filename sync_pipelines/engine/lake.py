"""What the engine asks of the lake; the lake itself is `sync_pipelines.lake`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from sync_pipelines.engine.port import Cursor, Page


class Lake(Protocol):
    """A session on the data plane: DuckDB, with the lake's tables under the catalog name `lake`."""

    @property
    def db(self) -> Any:
        """The DuckDB connection; temporary tables in it belong to this session alone."""
        ...

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]: ...

    def arrow(self, sql: str) -> pa.Table: ...

    def running(self, mapping: str) -> AbstractContextManager[None]:
        """What a mapping's SQL gets wrong while the block runs becomes `FixConfiguration`."""
        ...

    def columns(self, table: str) -> set[str]:
        """The columns of a table; none where there is no such table."""
        ...

    def at_hand(self, query: str) -> str:
        """A query's rows as a relation to select from, kept while the transaction under way lasts."""
        ...

    def relation(self, name: str, table: pa.Table, *, copied: bool = False) -> AbstractContextManager[None]:
        """An Arrow table that queries may name while the block runs."""
        ...

    def replace(self, table: str, sql: str) -> bool:
        """Make a table hold exactly a query's rows; False when it did already."""
        ...

    def single_threaded(self) -> AbstractContextManager[None]:
        """Many small statements, one after the other, go in the block."""
        ...

    def cursor(self, system: str, object: str) -> Cursor | None: ...

    def append_page(self, system: str, object: str, page: Page, *, run_id: str, at: datetime) -> int:
        """Append records and cursor in one transaction; returns how many records were news."""
        ...

    def append_tombstones(
        self, system: str, object: str, record_ids: Sequence[str], *, run_id: str, at: datetime
    ) -> None: ...

    def held(self, system: str, object: str) -> int:
        """How many live records of an object the record log holds."""
        ...

    def live_ids(self, system: str, object: str) -> list[str]: ...

    def carried_fields(self, system: str, object: str, sought: Collection[str]) -> set[str]:
        """Of these fields, those that at least one live record of an object carries."""
        ...

    def fields_once_carried(self, system: str, object: str) -> set[str]:
        """The fields that any version of any record of an object has carried."""
        ...

    def fields_of_all(self, system: str, object: str) -> set[str]:
        """The fields that every live record of an object carries, be it with a null."""
        ...
