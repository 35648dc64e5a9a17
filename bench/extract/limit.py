"""The limit: requests fetches the pages, orjson parses them, and nothing becomes of it.

    python bench/extract/limit.py URL

Prints how many records it saw, and what loading its code had cost.
"""

from __future__ import annotations

import sys
from time import process_time

import orjson
import requests


def main() -> None:
    """Fetch and parse every page."""
    begun = process_time()
    url, seen = sys.argv[1], 0
    with requests.Session() as session:
        following = "/services/data/v67.0/queryAll"
        while following:
            page = orjson.loads(session.get(url + following, timeout=60).content)
            seen += len(page["records"])
            following = page.get("nextRecordsUrl")
    sys.stdout.write(f"{seen} {begun}\n")


if __name__ == "__main__":
    main()
