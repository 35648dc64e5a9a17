"""SOQL as a grammar and the tree it gives; nothing here knows the org's schema or its records."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, v_args

from sync_pipelines.sandbox.salesforce.fault import Refusal

_GRAMMAR = r"""
start: query
query: "SELECT"i selection ("," selection)* "FROM"i path [alias] [where] [group] [order] [limit] [offset]
selection: path -> field
    | function
    | "(" query ")" -> children
    | "FIELDS"i "(" NAME ")" -> all_fields
function: FUNCTION "(" [path] ")" [alias]
alias: NAME
where: "WHERE"i _condition
_condition: term | all_of | any_of
all_of: term ("AND"i term)+
any_of: term ("OR"i term)+
?term: "NOT"i term -> negate
    | "(" _condition ")"
    | path OPERATOR value -> compare
    | path LIKE string -> compare
    | path IN "(" (values | query) ")" -> among
    | path NOT_IN "(" (values | query) ")" -> among
values: value ("," value)*
?value: string | NUMBER -> number | DATETIME -> instant | DATE -> day | BOOLEAN -> boolean | "NULL"i -> null
    | RELATIVE -> relative
string: STRING
group: "GROUP"i "BY"i path ("," path)*
order: "ORDER"i "BY"i sorting ("," sorting)*
sorting: (path | function) [DIRECTION] [NULLS]
limit: "LIMIT"i INT
offset: "OFFSET"i INT
path: NAME ("." NAME)*

FUNCTION.3: /(COUNT_DISTINCT|COUNT|SUM|MIN|MAX|AVG)(?=\s*\()/i
NOT_IN.3: /NOT\s+IN(?=\s*\()/i
IN.2: /IN(?=\s*\()/i
LIKE.2: /LIKE(?=\s*')/i
DIRECTION.2: /(ASC|DESC)\b/i
NULLS.2: /NULLS\s+(FIRST|LAST)\b/i
BOOLEAN.2: /(TRUE|FALSE)\b/i
RELATIVE.2: /(TODAY|YESTERDAY|TOMORROW|(LAST|NEXT)_N_DAYS:\d+)\b/i
DATETIME.4: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)/i
DATE.3: /\d{4}-\d\d-\d\d/
NUMBER: /[+-]?\d+(\.\d+)?/
INT.1: /\d+/
OPERATOR: "<=" | ">=" | "!=" | "<>" | "=" | "<" | ">"
STRING: /'(\\.|[^'\\])*'/
NAME: /[A-Za-z][A-Za-z0-9_]*/
%import common.WS
%ignore WS
"""
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Path:
    """A field, reached through parents: ("Account", "Name")."""

    names: tuple[str, ...]
    column: int = 1

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value and the way it was written: string, number, date, datetime, boolean, null."""

    kind: str
    value: Any
    raw: str = ""
    """A string as it was written: LIKE tells an escaped wildcard from a wildcard."""


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    path: Path | None
    alias: str | None


@dataclass(frozen=True, slots=True)
class AllFields:
    group: str


@dataclass(frozen=True, slots=True)
class Compare:
    path: Path
    operator: str
    literal: Literal


@dataclass(frozen=True, slots=True)
class Among:
    path: Path
    negated: bool
    literals: tuple[Literal, ...]
    query: Query | None = None


@dataclass(frozen=True, slots=True)
class Both:
    """All of the terms (`every`), or at least one of them."""

    every: bool
    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    term: Condition


@dataclass(frozen=True, slots=True)
class Sorting:
    by: Path | Function
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. `source` is an object's name, or a child relation's inside of another query."""

    selection: tuple[Selection, ...]
    source: Path
    where: Condition | None
    group: tuple[Path, ...]
    order: tuple[Sorting, ...]
    limit: int | None
    offset: int


Condition = Compare | Among | Both | Not
Selection = Path | Function | AllFields | Query


@v_args(inline=True)
class _Tree(Transformer[Token, Query]):
    def start(self, query: Query) -> Query:
        return query

    def path(self, *names: Token) -> Path:
        return Path(tuple(map(str, names)), names[0].column or 1)

    def alias(self, name: Token) -> str:
        return str(name)

    def field(self, path: Path) -> Path:
        return path

    def children(self, query: Query) -> Query:
        return query

    def selection(self, chosen: Selection) -> Selection:
        return chosen

    def all_fields(self, group: Token) -> AllFields:
        return AllFields(group.upper())

    def function(self, name: Token, path: Path | None, alias: str | None) -> Function:
        return Function(name.upper(), path, alias)

    def where(self, condition: Condition) -> Condition:
        return condition

    def any_of(self, *terms: Condition) -> Condition:
        return Both(False, terms)

    def all_of(self, *terms: Condition) -> Condition:
        return Both(True, terms)

    def negate(self, term: Condition) -> Condition:
        return Not(term)

    def compare(self, path: Path, operator: Token, literal: Literal) -> Condition:
        return Compare(path, {"<>": "!="}.get(operator, operator.upper()), literal)

    def among(self, path: Path, word: Token, listed: tuple[Literal, ...] | Query) -> Condition:
        negated = word.type == "NOT_IN"
        if isinstance(listed, Query):
            return Among(path, negated, (), listed)
        return Among(path, negated, listed)

    def values(self, *literals: Literal) -> tuple[Literal, ...]:
        return literals

    def string(self, text: Token) -> Literal:
        return Literal("string", unescape(text[1:-1]), str(text[1:-1]))

    def number(self, text: Token) -> Literal:
        return Literal("number", float(text) if "." in text else int(text))

    def instant(self, text: Token) -> Literal:
        return Literal("datetime", str(text))

    def day(self, text: Token) -> Literal:
        return Literal("date", str(text))

    def boolean(self, text: Token) -> Literal:
        return Literal("boolean", text.upper() == "TRUE")

    def null(self) -> Literal:
        return Literal("null", None)

    def relative(self, text: Token) -> Literal:
        return Literal("relative", text.upper())

    def group(self, *paths: Path) -> tuple[Path, ...]:
        return paths

    def order(self, *sortings: Sorting) -> tuple[Sorting, ...]:
        return sortings

    def sorting(self, by: Path | Function, direction: Token | None, nulls: Token | None) -> Sorting:
        descending = direction is not None and direction.upper() == "DESC"
        return Sorting(by, descending, nulls is not None and nulls.upper().endswith("LAST"))

    def limit(self, number: Token) -> int:
        return int(number)

    def offset(self, number: Token) -> int:
        return int(number)

    def query(self, *parts: Any) -> Query:
        *selection, source, alias, where, group, order, limit, offset = parts
        own = {str(source).lower(), str(alias).lower()}
        whole = (tuple(selection), where, group or (), order or ())
        selection, where, group, order = (_without_prefix(part, own) for part in whole)
        return Query(selection, source, where, group, order, limit, offset or 0)


def _without_prefix(part: Any, own: set[str]) -> Any:
    """The same tree with `Account.Name` or `a.Name` as `Name`, where that is the queried object itself."""
    if isinstance(part, Path):
        prefixed = len(part.names) > 1 and part.names[0].lower() in own
        return Path(part.names[1:], part.column) if prefixed else part
    if isinstance(part, tuple):
        return tuple(_without_prefix(item, own) for item in part)
    if isinstance(part, (Compare, Among, Both, Not, Sorting, Function)):
        inner = {f.name: _without_prefix(getattr(part, f.name), own) for f in fields(part)}
        return replace(part, **inner)
    return part


_PARSER = Lark(_GRAMMAR, parser="lalr", maybe_placeholders=True)


@lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """The tree of a query; `MALFORMED_QUERY` for what the grammar doesn't know.

    >>> parse("select Id, Account.Name from Contact limit 5").limit
    5
    """
    try:
        query = _Tree().transform(_PARSER.parse(text))
    except UnexpectedInput as error:
        raise malformed(_unexpected(text, error)) from error
    return query


def malformed(message: str) -> Refusal:
    return Refusal("MALFORMED_QUERY", message)


def pointed(text: str, column: int, message: str) -> str:
    """A message below the query and a caret, as the vendor shows it."""
    return f"\n{text}\n{'^':>{column}}\nERROR at Row:1:Column:{column}\n{message}"


def _unexpected(text: str, error: UnexpectedInput) -> str:
    if error.pos_in_stream is None or getattr(getattr(error, "token", None), "type", "") == "$END":
        return "unexpected token: '<EOF>'"
    found = re.match(r"\w+|.", text[error.pos_in_stream :], re.DOTALL)
    return pointed(text, error.pos_in_stream + 1, f"unexpected token: '{found[0] if found else '<EOF>'}'")


def unescape(text: str) -> str:
    """The characters that a quoted text stands for."""
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text)
