"""A stand-in for Gainsight CS (NXT): companies by the data API, calls to action and success plans by their lists.

Source: support.gainsight.com; there is no contract document of the vendor's. Not modelled: people, timeline, bulk jobs,
lookups, writes of calls to action and plans. What no page states is an assumption, and stands in `Settings`.
"""

from sync_pipelines.sandbox.gainsight.api import Gainsight, open_vendor
from sync_pipelines.sandbox.gainsight.seed import seed
from sync_pipelines.sandbox.gainsight.tenant import Settings

__all__ = ["Gainsight", "Settings", "open_vendor", "seed"]
