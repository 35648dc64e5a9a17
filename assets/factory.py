"""What all domains share in the graph: one asset a system's object, and the steps of a domain's loop."""
# Dagster reads the type of `loop` at run time, so annotations stay evaluated here.

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import dagster as dg

from assets import checks, columns, metadata
from resources.loop import explained
from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.topology import Topology

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Step:
    """One node of the graph: where it stands, what it claims and how the UI shows it."""

    key: tuple[str, ...]
    group: str
    about: str
    deps: Sequence[tuple[str, ...]] = ()
    claims: tuple[checks.Claim, ...] = ()
    kinds: frozenset[str] = frozenset()
    owners: Sequence[str] = ()
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    code_version: str | None = None


def asset(
    step: Step,
    work: Callable[[Any], Outcome],
    facts: Callable[[Outcome], metadata.Facts],
    *,
    sample: Callable[[Any, Outcome], metadata.Facts] = lambda loop, outcome: {},
) -> dg.AssetsDefinition:
    """A step as an asset: the loop works, the outcome's counts and checks are what Dagster keeps.

    `sample` may ask the loop for a few of the records behind the counts.
    """
    key = dg.AssetKey(step.key)

    @dg.asset(
        key=key,
        deps=[dg.AssetKey(each) for each in step.deps],
        group_name=step.group,
        description=step.about,
        check_specs=checks.specs(key, step.claims),
        kinds=set(step.kinds),
        owners=[f"team:{team}" for team in step.owners],
        tags=step.tags,
        metadata=step.metadata,
        code_version=step.code_version,
    )
    def body(loop: dg.ResourceParam[Any]) -> Iterator[Any]:
        with explained():
            outcome = work(loop)
            shown = {**facts(outcome), **sample(loop, outcome)}
        reported = getattr(outcome, "checks", ())
        yield dg.MaterializeResult(metadata=shown, check_results=list(checks.results(key, step.claims, reported)))

    return body


def objects(topology: Topology, system: str) -> list[dg.AssetsDefinition]:
    """The extraction assets of one system, one for each object that its `objects.toml` declares."""
    return [_object(topology, system, name) for name in mappings.objects(system)]


def domain(topology: Topology, name: str, about: str) -> list[dg.AssetsDefinition]:
    """The loop of one domain: conform each system, match, plan and apply each target, reconcile."""
    settings = topology.domains[name]
    return [
        *(_conformed(topology, name, system, about) for system in settings.systems),
        _links(topology, name),
        *(make(topology, name, target) for target in settings.targets for make in (_plan, _writes)),
        _reconciliation(topology, name),
    ]


def report(topology: Topology) -> dg.AssetsDefinition:
    """The finance check report over everything that was reconciled."""
    step = Step(
        key=("report", "finance"),
        group="report",
        about="The finance check report: per period, legal entity and currency the control totals of both "
        "sides, every finding behind a difference, and passed, failed or not checked for every check.",
        deps=[(name, "reconciliation") for name in topology.domains],
        kinds=frozenset({"html"}),
        tags={"sync/step": "report"},
    )
    return asset(step, lambda loop: loop.report(), metadata.report)


def _object(topology: Topology, system: str, name: str) -> dg.AssetsDefinition:
    readers = [d for d in topology.domains if (system, name) in _sources(topology, d)]
    step = Step(
        key=(system, name),
        group=system.replace("-", "_"),
        about=f"Every version of {name} that was ever read from {system}, as it came, in the record log. "
        f"Read by: {', '.join(readers) or 'no domain'}.",
        claims=checks.EXTRACTION,
        kinds=frozenset({topology.systems[system].adapter, "duckdb"}),
        owners=_owners(topology, *readers),
        tags={"sync/step": "extract", "sync/system": system},
        metadata={"dagster/column_schema": columns.raw(mappings.objects(system)[name])},
    )
    return asset(step, lambda loop: loop.extract(system, name), metadata.extraction)


def _conformed(topology: Topology, name: str, system: str, about: str) -> dg.AssetsDefinition:
    sources = mappings.sources(system, name)
    told = ", ".join("/".join(each) for each in sources)
    step = Step(
        key=(name, system),
        group=name,
        about=f"{about} As {system} tells it: canonical records made by mappings/{system}/{name}.sql from "
        f"{told}. A record that does not fit the schema is set aside, and the rest goes on.",
        deps=[*sources, *((each, "reconciliation") for each in _first(topology, name))],
        claims=checks.CONFORM,
        kinds=frozenset({"sql", "duckdb", topology.systems[system].adapter}),
        owners=_owners(topology, name),
        tags=_tags(name, "conform", system),
        metadata={"dagster/column_schema": columns.canonical(topology, system, name, mappings.lineage(system, name))},
        code_version=mappings.version(system, name),
    )
    return asset(step, lambda loop: loop.conform(name, system), metadata.conformed)


def _links(topology: Topology, name: str) -> dg.AssetsDefinition:
    settings = topology.domains[name]
    step = Step(
        key=(name, "links"),
        group=name,
        about=f"Which {name} record is which across {', '.join(settings.systems)}, each link with the rule and "
        f"the evidence that made it. What is in doubt is an exception of {_team(topology, name)}.",
        deps=[(name, system) for system in settings.systems],
        claims=checks.MATCH,
        kinds=frozenset({"duckdb", "postgres"}),
        owners=_owners(topology, name),
        tags=_tags(name, "match"),
    )
    return asset(step, lambda loop: loop.match(name), metadata.matched)


def _plan(topology: Topology, name: str, target: str) -> dg.AssetsDefinition:
    step = Step(
        key=(name, "plan", target),
        group=name,
        about=f"The writes that would bring {target} to what the owners of each {name} field say, with the "
        "value before and after. Saved and pinned to a snapshot; planning writes nothing to any system.",
        deps=[(name, "links"), *mappings.plan_sources(target, name)],
        claims=checks.PLAN,
        kinds=frozenset({"sql", "postgres"}),
        owners=_owners(topology, name),
        tags=_tags(name, "plan", target),
    )
    return asset(step, lambda loop: loop.plan(name, target), metadata.planned, sample=metadata.diff)


def _writes(topology: Topology, name: str, target: str) -> dg.AssetsDefinition:
    step = Step(
        key=(name, "writes", target),
        group=name,
        about=f"What became of the plan in {target}: each write confirmed, refused, failed or in doubt. "
        f"A refused one is an exception of {_team(topology, name, 'refused')}.",
        deps=[(name, "plan", target)],
        claims=checks.WRITES,
        kinds=frozenset({topology.systems[target].adapter, "postgres"}),
        owners=_owners(topology, name),
        tags=_tags(name, "apply", target),
    )
    return asset(step, lambda loop: loop.apply(name, target), metadata.applied)


def _reconciliation(topology: Topology, name: str) -> dg.AssetsDefinition:
    settings = topology.domains[name]
    step = Step(
        key=(name, "reconciliation"),
        group=name,
        about=f"Where {', '.join(settings.systems)} agree about every {name} and where they don't, compared "
        f"after the fact and apart from how it was written. Findings belong to {_team(topology, name)}.",
        deps=[(name, "links"), *((name, "writes", target) for target in settings.targets)],
        claims=checks.reconciliation(topology, name),
        kinds=frozenset({"sql", "duckdb"}),
        owners=_owners(topology, name),
        tags=_tags(name, "reconcile"),
    )
    return asset(step, lambda loop: loop.reconcile(name), metadata.reconciled)


def _sources(topology: Topology, name: str) -> set[tuple[str, str]]:
    return {each for system in topology.domains[name].systems for each in mappings.sources(system, name)}


def _first(topology: Topology, name: str) -> list[str]:
    """The domains to be reconciled first: records of this one point at theirs, or are read from what they write."""
    earlier = list(DOMAINS)[: list(DOMAINS).index(name)]
    referred = {field.refers_to for field in DOMAINS[name].references}
    return [each for each in topology.domains if each in earlier and (each in referred or _feeds(topology, each, name))]


def _feeds(topology: Topology, writer: str, reader: str) -> bool:
    shared = set(topology.domains[writer].targets) & set(topology.domains[reader].systems)
    return any(
        (system, each) in mappings.sources(system, reader)
        for system in shared
        for each in mappings.written(system, writer)
    )


def _owners(topology: Topology, *names: str) -> list[str]:
    return list(dict.fromkeys(topology.domains[name].owner_of_exceptions("default") for name in names))


def _team(topology: Topology, name: str, kind: str = "default") -> str:
    return topology.people[topology.domains[name].owner_of_exceptions(kind)].name


def _tags(name: str, step: str, system: str = "") -> dict[str, str]:
    return {"sync/domain": name, "sync/step": step, **({"sync/system": system} if system else {})}
