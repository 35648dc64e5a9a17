"""How two values of a kind are compared, as DuckDB expressions: one place for the whole engine."""

from __future__ import annotations

from sync_pipelines.domains import Field, Kind


def quoted(name: str) -> str:
    """An SQL identifier.

    >>> quoted("order"), quoted('a"b')
    ('"order"', '"a""b"')
    """
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """An SQL string literal.

    >>> text("O'Hara")
    "'O''Hara'"
    """
    return "'" + value.replace("'", "''") + "'"


def normal(kind: Kind, column: str) -> str:
    """The form of a column in which equal values are equal; an empty text is no value."""
    match kind:
        case Kind.TEXT:
            return f"nullif(regexp_replace(trim({column}), '\\s+', ' ', 'g'), '')"
        case Kind.CODE | Kind.CURRENCY | Kind.CHOICE:
            return f"nullif(upper(trim({column})), '')"
        case Kind.EMAIL:
            return f"nullif(lower(trim({column})), '')"
        case Kind.PHONE:
            return f"nullif(regexp_replace({column}, '[^0-9]', '', 'g'), '')"
        case Kind.LINES:
            return f"CAST(list_sort(CAST(json_extract({column}, '$[*]') AS VARCHAR[])) AS VARCHAR)"
        case _:
            return column


def differs(field: Field, left: str, right: str) -> str:
    """Whether two known values disagree; false where either is unknown, for a null is no statement."""
    a, b = normal(field.kind, left), normal(field.kind, right)
    if field.kind is Kind.MONEY and field.tolerance_minor:
        return f"coalesce(abs({a} - {b}) > {field.tolerance_minor}, false)"
    return f"coalesce({a} <> {b}, false)"


def wants(field: Field, desired: str, actual: str) -> str:
    """Whether the owner's value is to replace the actual one: it is known, and the other is not the same.

    A null of the owner never replaces anything.
    """
    d, a = normal(field.kind, desired), normal(field.kind, actual)
    return f"({d} IS NOT NULL AND ({a} IS NULL OR {differs(field, desired, actual)}))"


def is_empty(column: str) -> str:
    """Whether a column holds nothing, or an empty text; a value that only its kind can't read is not empty."""
    return f"(nullif(trim({shown(column)}), '') IS NULL)"


def clears(desired: str, actual: str) -> str:
    """Whether an owner that has emptied a field is to take the actual value away: only for what `clears` names."""
    return f"({is_empty(desired)} AND NOT {is_empty(actual)})"


def shown(column: str) -> str:
    """A column as text, for people and for the field-level before and after."""
    return f"CAST({column} AS VARCHAR)"
