"""Opening the Dagster UI and its daemon on the state folder: `python -m resources.ui --port 3000`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from resources.instance import dagster_home
from sync_pipelines import config

ROOT = Path(__file__).parent.parent


def main(arguments: Sequence[str]) -> None:
    """Become `dagster dev`: whoever started this process ends the UI by ending it."""
    parser = argparse.ArgumentParser(prog="python -m resources.ui", description="The Dagster UI on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=3000)
    port = parser.parse_args(arguments).port
    topology = config.load(Path(os.environ.get("SYNC_TOPOLOGY", ROOT / "sync.toml")), strict=False)
    os.environ["DAGSTER_HOME"] = str(dagster_home(topology))
    listen_to_signals()
    workspace = str(ROOT / "workspace.yaml")
    os.execv(
        sys.executable,
        [sys.executable, "-m", "dagster", "dev", "-w", workspace, "-h", "127.0.0.1", "-p", str(port)],
    )


def listen_to_signals() -> None:
    """A shell starts background jobs with SIGINT ignored, and Dagster would then ignore SIGTERM too."""
    for each in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)


if __name__ == "__main__":
    main(sys.argv[1:])
