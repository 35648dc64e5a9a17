"""A stand-in for SAP S/4HANA: business partners, sales orders and billing documents over OData V2.

Source: the $metadata of API_BUSINESS_PARTNER, API_SALES_ORDER_SRV and API_BILLING_DOCUMENT_SRV. Not modelled: persons
and groups, Atom, deep updates, Content-ID references, delta links, price determination, credit checks, delivery and
billing. A system may pass over properties that can't be given; the stand-in refuses them, so that it can't go unseen.
"""

from sync_pipelines.sandbox.s4hana.seed import seed
from sync_pipelines.sandbox.s4hana.settings import Settings
from sync_pipelines.sandbox.s4hana.vendor import S4hana, open_vendor

__all__ = ["S4hana", "Settings", "open_vendor", "seed"]
