"""A stand-in for Zendesk Support: organizations and their fields, tickets, exports, jobs.

Source: developer.zendesk.com. Not modelled: users beyond the integration's own, search, webhooks, triggers,
ticket merges, comments after the first. Zendesk may pass over a property that it does not know; the stand-in
refuses it, so that it can't go unseen.
"""

from sync_pipelines.sandbox.zendesk.account import Settings
from sync_pipelines.sandbox.zendesk.api import Zendesk, open_vendor
from sync_pipelines.sandbox.zendesk.seed import seed

__all__ = ["Settings", "Zendesk", "open_vendor", "seed"]
