"""Column lineage of a mapping: which field of which object each canonical column is computed from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

Shapes = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""System → object → field → declared type."""

Field = tuple[str, str, tuple[str, ...]]
"""System, object, and the path of a field inside it, as the SQL spells them."""


def trace(query: exp.Query, shapes: Shapes) -> dict[str, tuple[str, ...]]:
    """Each output column and the declared fields behind it, through CTEs, subqueries, structs and unnests."""
    qualified = qualify(
        query.copy(),
        schema={system: {name: _flat(shape) for name, shape in held.items()} for system, held in shapes.items()},
        dialect="duckdb",
        quote_identifiers=False,
        validate_qualify_columns=False,
    )
    root = build_scope(qualified)
    if root is None:
        return {}
    return {name: tuple(dict.fromkeys(_spell(field, shapes) for field in fields)) for name, fields in _outputs(root)}


def _outputs(scope: Scope) -> Iterator[tuple[str, list[Field]]]:
    """The output columns of a query; those of a UNION are joined by position."""
    for column in _selects(scope):
        name = column.alias_or_name
        yield name, list(_selected(name, scope, ()))


def _branches(scope: Scope) -> Iterator[Scope]:
    if scope.set_operation_scopes:
        for branch in scope.set_operation_scopes:
            yield from _branches(branch)
    else:
        yield scope


def _fields(expression: exp.Expr, scope: Scope, suffix: tuple[str, ...]) -> Iterator[Field]:
    """The fields below an expression; `suffix` is the path that the reader takes inside its value."""
    if isinstance(expression, exp.Alias):
        yield from _fields(expression.this, scope, suffix)
        return
    column, path = _path(expression)
    if column is not None:
        yield from _resolve(column, scope, path + suffix)
        return
    if isinstance(expression, exp.Explode | exp.Unnest):
        for inner in expression.expressions or [expression.this]:
            yield from _fields(inner, scope, suffix)
        return
    if isinstance(expression, exp.Query):
        subquery = _scope_of(expression, scope)
        for inner in _selects(subquery) if subquery else ():
            yield from _fields(inner, subquery or scope, suffix)
        return
    for inner in expression.iter_expressions():
        yield from _fields(inner, scope, ())


def _path(expression: exp.Expr) -> tuple[exp.Column | None, tuple[str, ...]]:
    """`column.a.b` as the column and ("a", "b"); list elements are looked through."""
    names: list[str] = []
    while True:
        if isinstance(expression, exp.Column):
            return expression, tuple(reversed(names))
        if isinstance(expression, exp.Dot) and isinstance(expression.expression, exp.Identifier):
            names.append(expression.expression.name)
        elif not isinstance(expression, exp.Paren | exp.Bracket):
            return None, ()
        expression = expression.this


def _resolve(column: exp.Column, scope: Scope, path: tuple[str, ...]) -> Iterator[Field]:
    source, holder = _source(column.table, scope)
    if isinstance(source, exp.Table):
        if source.db:
            yield source.db, source.name, (column.name, *path)
    elif isinstance(source, Scope) and holder is not None:
        query = source.expression
        if isinstance(query, exp.Lateral):
            query = query.this.unnest()
        if isinstance(query, exp.Query):
            yield from _selected(column.name, _scope_of(query, source) or source, path)
        else:
            yield from _fields(query, holder, path)


def _selected(name: str, scope: Scope, path: tuple[str, ...]) -> Iterator[Field]:
    """The fields behind one output column of a query; the branches of a UNION match by position."""
    names = [column.alias_or_name for column in _selects(scope)]
    wanted = [names.index(name)] if name in names else range(len(names))
    for branch in _branches(scope):
        for position in wanted:
            yield from _fields(_selects(branch)[position], branch, path)


def _selects(scope: Scope) -> list[exp.Expr]:
    expression = scope.expression
    return expression.selects if isinstance(expression, exp.Query) else []


def _source(name: str, scope: Scope | None) -> tuple[exp.Table | Scope | None, Scope | None]:
    """What a table name stands for, looked up outwards: a correlated subquery sees its surroundings."""
    while scope is not None:
        if name in scope.sources:
            return scope.sources[name], scope
        scope = scope.parent
    return None, None


def _scope_of(query: exp.Query, scope: Scope) -> Scope | None:
    target = query.unnest() if isinstance(query, exp.Subquery) else query
    return next((inner for inner in scope.traverse() if inner.expression is target), None)


def _flat(shape: Mapping[str, Any]) -> dict[str, str]:
    """Top-level columns for name resolution; what is inside a struct is followed by its path."""
    return {name: kind if isinstance(kind, str) else "STRUCT" for name, kind in shape.items()}


def _spell(field: Field, shapes: Shapes) -> str:
    """The field as declared: SQL folds case, and a path may go on into what is not declared."""
    system, table, path = field
    name = next(held for held in shapes[system] if held.lower() == table.lower())
    spelled: list[str] = []
    shape: Any = shapes[system][name]
    for part in path:
        shape = shape[0] if isinstance(shape, list) else shape
        if not isinstance(shape, Mapping):
            break
        match = next((key for key in shape if key.lower() == part.lower()), None)
        if match is None:
            break
        spelled.append(match)
        shape = shape[match]
    return f"{system}/{name}.{'.'.join(spelled)}" if spelled else f"{system}/{name}"
