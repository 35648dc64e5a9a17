"""Keep customer platforms and an ERP in agreement across seven domains, and prove it."""

__version__ = "0.1.0"
