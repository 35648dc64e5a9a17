"""Where the tests of a worker live their seeds: the session's server, and a database of the worker's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.testing.simulation.campaign import Field
from sync_pipelines.testing.simulation.planes import Ground

TOPOLOGY = Path(__file__).parents[2] / "sync.all.toml"


@pytest.fixture(scope="session")
def field(postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Field:
    """Room for one simulated life at a time."""
    ground = Ground(postgres, f"simulation_{os.getpid()}")
    ground.prepare()
    return Field(ground, TOPOLOGY, tmp_path_factory.mktemp("simulation"))
