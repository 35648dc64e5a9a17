"""Local stand-ins for the vendors' APIs: a kit that all share, and one module a vendor.

They listen on loopback only, keep their records in one file, run on a virtual clock and misbehave on
request. Nothing outside of this package and the tests imports them.
"""
