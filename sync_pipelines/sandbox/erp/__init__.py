"""A real Tryton server: `server` runs it, `setup` makes its template once, `seed` enters what it knows at first."""

from sync_pipelines.sandbox.erp.seed import ErpSeed, close_periods, open_server, seed
from sync_pipelines.sandbox.erp.server import DATABASE, PASSWORD, USER, Erp, template

__all__ = [
    "DATABASE",
    "PASSWORD",
    "USER",
    "Erp",
    "ErpSeed",
    "close_periods",
    "open_server",
    "seed",
    "template",
]
