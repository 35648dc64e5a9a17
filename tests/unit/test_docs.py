"""The documentation says what is true: its commands, links, keys, checks, tables and code are the product's."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest
import typer.main

from sync_pipelines import cli, conclusion, mappings
from sync_pipelines.engine import (
    apply,
    conform,
    deletion,
    extract,
    match,
    merge,
    policy,
    proof,
    reconcile,
    retirement,
    topology,
)
from sync_pipelines.engine.port import ADAPTERS
from sync_pipelines.lake.tables import TABLES
from sync_pipelines.ledger.tables import METADATA
from sync_pipelines.testing.conformance import QUESTIONS
from sync_pipelines.testing.facts import Facts

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
REFERENCE = ROOT / "docs" / "reference"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
STRUCTS: list[type[msgspec.Struct]] = [
    topology.Planes,
    topology.Window,
    topology.SystemSettings,
    topology.LegalEntity,
    topology.Person,
    topology.Schedule,
    topology.DomainSettings,
    topology.Policy,
    topology.Approval,
    topology.Limit,
]
ON_EVERY_SYSTEM = (
    "Set it up",
    "What is read and written",
    "What it can do",
    "What is not supported",
    "What is not verified",
)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def code(page: Path) -> Iterator[str]:
    """Every line of a code block, joined where it goes on, and every piece of code inside the text."""
    text = page.read_text()
    for _, block in FENCE.findall(text):
        yield from block.replace("\\\n", " ").splitlines()
    yield from INLINE.findall(FENCE.sub("", text))


def blocks(page: Path, language: str) -> list[str]:
    """A page's code blocks in a language, with Python that a shell is given among the Python."""
    found = FENCE.findall(page.read_text())
    given = [
        body for kind, text in found if kind == "sh" for body in re.findall(r"<<'END'\n(.*?)^END$", text, re.M | re.S)
    ]
    return [text for kind, text in found if kind == language] + (given if language == "python" else [])


def words_after(command: str, line: str) -> list[str] | None:
    """What follows a command at the start of a line, without a comment; None where the line is another."""
    bare = line.strip().split(" #")[0]
    return bare.split()[1:] if bare.split()[:1] == [command] else None


def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings can be reached by."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def check_names() -> set[str]:
    """The names that the engine gives to checks, those with systems in them up to the first system."""
    names: set[str] = set()
    for module in (extract, conform, match, policy, apply, proof, retirement):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "Check"):
            names |= {text for k in call.keywords if k.arg == "name" for text in _literals(k.value, tree)}
    return names


def _literals(value: ast.expr, tree: ast.Module) -> Iterator[str]:
    """A name as it is written; where it is a parameter, the keys from which `checks` fills it."""
    if isinstance(value, ast.Constant):
        yield str(value.value)
    elif isinstance(value, ast.JoinedStr):
        yield ast.unparse(value.values[0]).strip("'")
    else:
        made = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "checks")
        for keys in (n.keys for n in ast.walk(made) if isinstance(n, ast.Dict)):
            yield from (str(key.value) for key in keys if isinstance(key, ast.Constant))


@every_page
def test_a_command_that_a_page_names_exists_with_its_options(page: Path) -> None:
    commands = typer.main.get_group(cli.app).commands
    unknown = []

    for line in code(page):
        for name, *rest in filter(None, [words_after("sync-pipelines", line)]):
            command = commands.get(name)
            if isinstance(command, typer.core.TyperGroup):
                command = command.commands.get(rest[0]) if rest else None
            options = {each for param in command.params for each in param.opts} if command else set()
            given = {word for word in rest if word.startswith("--")}
            unknown += [line] if command is None or given - options else []

    assert unknown == []


@every_page
def test_a_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    named = {word for line in code(page) for word in (words_after("make", line) or [])[:1] if word.isalpha()}

    assert named <= targets


@every_page
def test_a_relative_link_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(FENCE.sub("", page.read_text())) if "://" not in link]

    broken = []
    for link in links:
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        lost = fragment and target.is_file() and fragment not in anchors(target)
        broken += [link] if lost or not target.exists() else []

    assert broken == []


@every_page
def test_a_page_names_no_machine_and_no_registry(page: Path) -> None:
    text = page.read_text()

    assert not re.search(r"/(?:home|root|work|tmp|Users)/\w", text)
    assert not re.search(r"(?:pypi|pythonhosted|npmjs|proxy\.golang)\.(?:org|com)", text)


@every_page
def test_python_on_a_page_is_valid_and_imports_what_there_is(page: Path) -> None:
    made = {
        Path(name).parts[-1]
        for block in blocks(page, "python")
        for name in re.findall(r"\A# (\S+?)(?:/__init__)?\.py$", block, re.M)
    }
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module not in made:
                module = importlib.import_module(str(node.module))
                assert [each.name for each in node.names if not _offers(module.__name__, each.name)] == []


def _offers(module: str, name: str) -> bool:
    """Whether a module has a name, as an attribute or as a module below it."""
    if hasattr(importlib.import_module(module), name):
        return True
    return importlib.util.find_spec(f"{module}.{name}") is not None


def test_every_page_under_docs_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        links = LINK.findall(page.read_text()) if page.suffix == ".md" and page not in reached else []
        reached.add(page)
        waiting += [path for link in links if (path := (page.parent / link.partition("#")[0]).resolve()).is_file()]

    decisions = set((ROOT / "docs" / "decisions").iterdir())  # the README links to their folder
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - reached - decisions == set()


@pytest.mark.parametrize("system", [each.name for each in entry_points(group=ADAPTERS)])
def test_every_system_has_a_page_that_names_its_objects_and_says_what_it_does_not_do(system: str) -> None:
    text = (REFERENCE / "systems" / f"{system}.md").read_text()

    assert set(ON_EVERY_SYSTEM) - set(re.findall(r"^## (.+)$", text, re.MULTILINE)) == set()
    assert {name for name in mappings.objects(system) if name not in text} == set()


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_key_of_the_topology_is_in_its_reference(struct: type[msgspec.Struct]) -> None:
    text = (REFERENCE / "topology.md").read_text()
    made_up = {"name", "options"} if struct is topology.SystemSettings else set()

    keys = set(struct.__struct_fields__) - made_up

    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_every_default_in_the_reference_is_that_of_the_code() -> None:
    text = (REFERENCE / "topology.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.MULTILINE))
    fields = [field for struct in STRUCTS for field in msgspec.structs.fields(struct) if not field.required]
    known = {field.name: _default(field) for field in fields if field.name != "options"}
    defaults = {name: default for name, default in known.items() if default is not None}

    wrong = {name: default for name, default in defaults.items() if _toml(told[name]) != default}

    assert len(defaults) > 8
    assert wrong == {}


def _toml(text: str) -> object:
    return tomllib.loads(f"value = {text}")["value"]


def _default(field: msgspec.structs.FieldInfo) -> object:
    given = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    return msgspec.to_builtins(given) if isinstance(given, msgspec.Struct) else given


def test_every_check_of_the_engine_is_in_its_reference() -> None:
    text = (REFERENCE / "checks.md").read_text()

    names = check_names()

    assert {"complete", "no_duplicates", "agrees_", "nothing_in_doubt"} <= names
    assert {name for name in names if f"`{name}" not in text} == set()


def test_every_kind_of_finding_has_its_own_place() -> None:
    told = anchors(ROOT / "docs" / "how-to" / "work-exceptions.md")
    sql = Path(str(reconcile.__file__)).read_text() + Path(str(match.__file__)).read_text()
    named = re.findall(r"SELECT '([a-z]+)'(?:,| AS kind)", sql)

    kinds = {*named, *proof.DISAGREEMENTS, merge.MERGED, deletion.DELETED}

    assert {"ambiguous", "duplicate", "merged", "quarantined", "unknown"} <= kinds
    assert kinds - told == set()


def test_every_table_of_both_planes_is_in_its_reference() -> None:
    text = (REFERENCE / "lake-and-ledger.md").read_text()
    tables = {*TABLES, *(table.name for table in METADATA.tables.values())}

    assert {name for name in tables if f"| `{name}` |" not in text} == set()


def test_every_test_of_the_conformance_suite_and_every_hook_is_in_its_reference() -> None:
    text = (REFERENCE / "conformance.md").read_text()
    told = re.findall(r"^\| ([A-Z][^|]*?) \| ([^|]*) \| [^|]* \|$", text, re.MULTILINE)
    rows = {re.sub(r"\W", "", sentence).replace("_", "").lower(): INLINE.findall(claims) for sentence, claims in told}

    assert rows == {question.name.replace("_", ""): list(question.claims) for question in QUESTIONS}
    assert {hook for hook in dir(Facts) if hook[0] != "_"} | Facts.__annotations__.keys() <= set(INLINE.findall(text))


def test_every_variable_of_the_shipped_topology_is_in_the_reference() -> None:
    text = (REFERENCE / "cli.md").read_text()

    variables = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "sync.toml").read_text())) - {"NAME"}

    assert {name for name in variables if f"`{name}`" not in text} == set()


def test_every_key_of_the_summary_is_in_the_reference() -> None:
    text = (REFERENCE / "cli.md").read_text()
    tree = ast.parse(Path(str(conclusion.__file__)).read_text())
    summary = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "summary")

    returned = next(n.value for n in ast.walk(summary) if isinstance(n, ast.Return))
    keys = {str(k.value) for k in getattr(returned, "keys", ()) if isinstance(k, ast.Constant)}

    assert {"read", "writes", "checks"} <= keys
    assert {key for key in keys if f"| `{key}` |" not in text} == set()
