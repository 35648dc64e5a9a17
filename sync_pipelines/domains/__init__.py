"""What records are: the seven domains, their fields and schemas, and money. Pure values, no effects."""

from sync_pipelines.domains.catalog import DOMAINS
from sync_pipelines.domains.field import Domain, Field, Kind

__all__ = ["DOMAINS", "Domain", "Field", "Kind"]
