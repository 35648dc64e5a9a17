"""A stand-in for Tryton's JSON-RPC: one company's parties, products, sales and invoices, posted into its books."""

from sync_pipelines.sandbox.tryton.seed import seed
from sync_pipelines.sandbox.tryton.vendor import Tryton, open_vendor

__all__ = ["Tryton", "open_vendor", "seed"]
