"""A stand-in for an SAP ECC that is reached by files alone: a folder, and an SFTP server over it.

Source: SAP's IDoc flat files (EDI_DC40, EDI_DD40), and the file contract that `docs/reference/systems/ecc.md` tells.
`run_window` is the batch job: it posts what an earlier window took, takes what lies in `/in`, and writes extracts.
Not modelled: stock, prices and taxes of SAP's own, deliveries, IDocs in XML, and messages other than three.
"""

from sync_pipelines.sandbox.ecc.books import Settings
from sync_pipelines.sandbox.ecc.job import run_window
from sync_pipelines.sandbox.ecc.seed import seed
from sync_pipelines.sandbox.ecc.vendor import Ecc, open_vendor

__all__ = ["Ecc", "Settings", "open_vendor", "run_window", "seed"]
