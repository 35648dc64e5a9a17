"""dlt: its REST client, and its pipeline into Parquet files in a folder.

    python with_dlt.py URL FOLDER

Prints how many records it loaded, and what loading its code had cost.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import process_time

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator


def main() -> None:
    """Extract, normalise and load."""
    begun = process_time()
    url, folder = sys.argv[1], Path(sys.argv[2])
    client = RESTClient(base_url=url, paginator=JSONLinkPaginator("nextRecordsUrl"), data_selector="records")

    @dlt.resource(name="account", write_disposition="append")
    def account() -> Iterator[object]:
        yield from client.paginate("/services/data/v67.0/queryAll")

    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.filesystem(bucket_url=(folder / "loaded").as_uri()),
        dataset_name="bench",
    )
    pipeline.run(account(), loader_file_format="parquet")
    sys.stdout.write(f"{pipeline.last_trace.last_normalize_info.row_counts['account']} {begun}\n")


if __name__ == "__main__":
    main()
