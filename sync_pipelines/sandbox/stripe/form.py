"""Form bodies and query strings with nested keys, as Stripe's v1 API takes them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from sync_pipelines.sandbox.stripe.refusal import Refusal

_KEY = re.compile(r"[^\[\]]+(\[[^\[\]]*\])*\Z")


def decode(text: str) -> dict[str, Any]:
    """Nested parameters: values are strings, mappings or lists.

    `expand[]` appends to a list; numbered keys stay mappings here, for only the parameter's declaration
    tells a list (`items[0][price]`) from a mapping (`metadata[0]`).

    >>> decode("metadata[crm]=A&items[0][q]=1&expand[]=customer")
    {'metadata': {'crm': 'A'}, 'items': {'0': {'q': '1'}}, 'expand': ['customer']}
    """
    tree: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        if not _KEY.match(key):
            raise malformed(key)
        _place(tree, [part.rstrip("]") for part in key.split("[")], value)
    return tree


class _Growing(list[Any]):
    """Elements that came with empty brackets."""


def _place(node: dict[str, Any], path: list[str], value: str) -> None:
    head, *rest = path
    if not rest:
        if isinstance(node.get(head), dict | list):
            raise malformed(head)
        node[head] = value
    elif rest[0] == "":
        _append(node.setdefault(head, _Growing()), rest[1:], value, head)
    else:
        child = node.setdefault(head, {})
        if not isinstance(child, dict):
            raise malformed(head)
        _place(child, rest, value)


def _append(elements: Any, path: list[str], value: str, key: str) -> None:
    if not isinstance(elements, _Growing):
        raise malformed(key)
    if not path:
        elements.append(value)
        return
    if not elements or not isinstance(elements[-1], dict) or path[0] in elements[-1]:
        elements.append({})
    _place(elements[-1], path, value)


def malformed(key: str) -> Refusal:
    return Refusal(
        "Invalid request (check that your POST content type is application/x-www-form-urlencoded). "
        f"The parameter {key} can't be read. If you have any questions, we can help at "
        "https://support.stripe.com/."
    )
