"""A module that Tryton's server loads: one question that its API lacks, which of these models have changed?

It runs inside of trytond 8.0, beside which this package is installed without what the engine depends on: so nothing
of the engine is imported here. What is registered is in `tryton.cfg`.
"""
