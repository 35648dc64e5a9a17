"""Stripe behind the port: `adapter` lists, `feed` follows events, `record` completes objects, `write` posts."""

from sync_pipelines.systems.stripe.adapter import LISTS, Position, Stripe, open_system

__all__ = ["LISTS", "Position", "Stripe", "open_system"]
