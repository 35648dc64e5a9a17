"""The stand-ins' memory."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sync_pipelines.sandbox.store import Store


class Refused(Exception):
    pass


def abandon(store: Store) -> None:
    with store.transaction():
        store.delete("t", "a")
        store.put("t", "b", {"k": "changed", "group": 2})
        store.put("t", "d", {"k": "new", "group": 1})
        store.set_meta("next", 2)
        raise Refused


def test_documents_come_back_in_the_order_of_their_first_put() -> None:
    store = Store(None)
    for key in ("b", "a", "c"):
        store.put("t", key, {"k": key})

    store.put("t", "b", {"k": "B"})

    assert [row["k"] for row in store.all("t")] == ["B", "a", "c"]


def test_a_failed_transaction_leaves_documents_order_index_counter_and_settings_as_they_were() -> None:
    store = Store(None)
    for key in ("a", "b", "c"):
        store.put("t", key, {"k": key, "group": 1})
    store.set_meta("next", 1)
    before = (store.all("t"), store.find("t", "group", 1), store.writes)

    with pytest.raises(Refused):
        abandon(store)

    assert (store.all("t"), store.find("t", "group", 1), store.writes) == before
    assert store.meta("next") == 1


def test_a_nested_transaction_rolls_back_alone() -> None:
    store = Store(None)

    with store.transaction():
        store.put("t", "kept", {})
        with pytest.raises(Refused):
            abandon(store)

    assert [*store.table("t").rows] == ["kept"]
    assert store.writes == 1


def test_an_index_follows_every_change() -> None:
    store = Store(None)
    store.load("t", {"1": {"owner": "x"}, "2": {"owner": "y"}})
    assert store.find("t", "owner", "x") == [{"owner": "x"}]

    store.put("t", "1", {"owner": "y"})
    store.delete("t", "2")
    store.load("t", {"3": {"owner": "y"}})

    assert store.find("t", "owner", "x") == []
    assert len(store.find("t", "owner", "y")) == 2


def test_a_file_gives_everything_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.load("t", [(str(n), {"n": n}) for n in range(1000)])
    store.delete("t", "3")
    store.put("t", "new", {"n": -1})
    store.set_meta("counter", 7)
    store.close()

    again = Store(tmp_path / "state.db")

    assert [row["n"] for row in again.all("t")] == [n for n in range(1000) if n != 3] + [-1]
    assert again.meta("counter") == 7
    again.put("t", "last", {"n": -2})
    assert again.all("t")[-1] == {"n": -2}
    again.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from sync_pipelines.sandbox.store import Store
store = Store(Path(sys.argv[1]))
store.put("t", "committed", {})
with store.transaction():
    store.put("t", "open", {})
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_committed_survives_a_kill_and_what_was_not_does_not(tmp_path: Path) -> None:
    path = tmp_path / "state.db"

    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=dict(os.environ), check=False)

    assert killed.returncode == -signal.SIGKILL
    store = Store(path)
    assert list(store.table("t").rows) == ["committed"]
    store.close()
