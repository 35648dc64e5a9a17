"""The six verbs, ownership and gates: decisions, with effects only through ports."""
