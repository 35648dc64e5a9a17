"""Form bodies and query strings as Chargebee takes them: nested keys, and lists whose columns carry the numbers."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from sync_pipelines.sandbox.chargebee.refusal import wrong

_KEY = re.compile(r"[^\[\]]+(\[[^\[\]]+\])*\Z")


def decode(text: str) -> dict[str, Any]:
    """Nested parameters: values are strings or mappings.

    >>> decode("id=C-1&billing_address[city]=Bonn&subscription_items[quantity][0]=5")
    {'id': 'C-1', 'billing_address': {'city': 'Bonn'}, 'subscription_items': {'quantity': {'0': '5'}}}
    """
    tree: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        if not _KEY.match(key):
            raise wrong(key, "is not a parameter")
        *path, last = (part.rstrip("]") for part in key.split("["))
        node = tree
        for step in path:
            node = node.setdefault(step, {})
            if not isinstance(node, dict):
                raise wrong(key, "is given twice")
        if isinstance(node.get(last), dict):
            raise wrong(key, "is given twice")
        node[last] = value
    return tree
