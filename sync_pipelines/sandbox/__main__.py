"""Runs one stand-in until it is told to end: `python -m sync_pipelines.sandbox salesforce --port 8080`."""

from __future__ import annotations

import argparse
from pathlib import Path

from sync_pipelines.sandbox.launch import VENDORS, run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sync_pipelines.sandbox", description=__doc__)
    parser.add_argument("vendor", choices=VENDORS)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path)
    given = parser.parse_args()
    run(given.vendor, port=given.port, state=given.state)


if __name__ == "__main__":
    main()
