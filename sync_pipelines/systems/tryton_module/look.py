"""Which models have records past a key, told in one call; it reads, and stores nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trytond import config
from trytond.model import Model, ModelSQL
from trytond.pool import Pool
from trytond.rpc import RPC

from sync_pipelines.systems.tryton_module.key import Key, past


class Look(Model):  # type: ignore[misc]
    __name__ = "sync_pipelines.look"

    @classmethod
    def __setup__(cls) -> None:
        super().__setup__()
        cls.__rpc__["changed"] = RPC(timeout=config.getint("request", "timeout", default=0))

    @classmethod
    def changed(cls, cursors: Mapping[str, Key | None]) -> Sequence[str]:
        """The names of those models of which a record is past the key: (last_modified_at, id), or None for any record.

        It tells nobody more than a `search_count` of each model would: the rights of who asks hold in the same way
        (trytond 8.0, `rpc.py`: a call's context has `_check_access`), and a model that can't be counted by a call,
        like that of sessions, is as unknown as one that there is not.
        """
        return [name for name, key in cursors.items() if _is_past(name, key)]


def _is_past(name: str, key: Key | None) -> bool:
    model = Pool().get(name)
    if not issubclass(model, ModelSQL) or "search_count" not in model.__rpc__:
        raise KeyError(name)
    return bool(model.search_count(past(key), 0, 1))
