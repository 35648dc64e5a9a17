"""A story: everything that happens to one company, drawn from a seed before anything happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from random import Random

DOMAINS = ("customer", "product", "pricing", "contract", "order", "invoice", "entitlement")
_CHOICES: tuple[tuple[tuple[str, ...], int], ...] = (
    (("customer", "order", "invoice"), 6),
    (("customer", "invoice"), 7),
    (("customer", "order"), 5),
    (("customer",), 3),
    (("product",), 1),
    (("product", "pricing"), 1),
    (("customer", "contract"), 2),
    (("customer", "product", "entitlement"), 2),
)
"""Which domains a company keeps in agreement, and how often: the way of money into the books most of all."""


FILES_SHARE = 0.125
"""Of the companies without another fourth system those that have one which is reached by files."""
_MODES = ("full", "incremental")
_GAPS = (0, 60, 300, 3600, 28_800)


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happens: at the nth beat, call or step of a kind in a run.

    Kinds are "start", "step", "apply", "call", "read", "write", of a system without calls "file" and "drop", and for
    a death the planes "lake", "ledger", "system" and "files".
    """

    run: int
    kind: str
    nth: int = 1

    def __str__(self) -> str:
        return f"run {self.run}, {self.kind} {self.nth}"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens; what it draws itself, it draws from `seed`."""

    number: int
    name: str
    moment: Moment
    seed: int

    @property
    def fault(self) -> str:
        """The fault's number, as the list of faults has it."""
        return self.name.partition(".")[0]

    def __str__(self) -> str:
        return f"#{self.number} {self.name} at {self.moment}"


@dataclass(frozen=True, slots=True)
class Story:
    """One company's life: its domains, how many runs of which mode, and what happens in them."""

    seed: int
    domains: tuple[str, ...]
    modes: tuple[str, ...]
    gaps: tuple[int, ...]
    """Seconds after each run until the next."""
    events: tuple[Event, ...]

    def only(self, numbers: Iterable[int]) -> Story:
        """The same story, in which nothing happens but these events."""
        kept = set(numbers)
        return replace(self, events=tuple(event for event in self.events if event.number in kept))


@dataclass(frozen=True, slots=True)
class Kind:
    """How an event of a name is drawn: how often, at which moments, and up to which count of them."""

    weight: int
    at: Mapping[str, int]
    needs: tuple[str, ...] = ()
    """The domains without which it would mean nothing."""
    from_run: int = 1
    """The first run in which it can happen."""
    early: int = 3
    """Up to which count of its moments it happens at the latest, where a story begins with it."""
    share: float = 0.0
    """In which share of the stories that have its domains it happens beside what else is drawn, and shifts nothing."""
    by_files: bool = False
    """Whether it can befall those companies alone that may have a system which is reached by files."""


def may_have_files(seed: int) -> bool:
    """Whether a company without another fourth system has one that is reached by files."""
    return Random(f"{seed}|files").random() < FILES_SHARE


def draw(seed: int, kinds: Mapping[str, Kind]) -> Story:
    """The story of a seed; equal seeds and kinds give equal stories.

    Seeds that follow each other begin with one kind after the other, so that every one comes up.
    """
    rng = Random(f"{seed}|story")
    aside = {name: kind for name, kind in kinds.items() if kind.share}
    kinds = {name: kind for name, kind in kinds.items() if name not in aside}
    first = list(kinds)[seed % len(kinds)]
    choices = [(names, weight) for names, weight in _CHOICES if set(kinds[first].needs) <= set(names)]
    domains = rng.choices([names for names, _ in choices], [weight for _, weight in choices])[0]
    runs = max(rng.choice((1, 1, 2)), kinds[first].from_run)
    fitting = {name: kind for name, kind in kinds.items() if set(kind.needs) <= set(domains) and kind.from_run <= runs}
    others = rng.choices(list(fitting), [kind.weight for kind in fitting.values()], k=rng.randint(1, 4))
    events = [_event(number, name, fitting[name], runs, rng) for number, name in enumerate(others, 2)]
    story = Story(
        seed=seed,
        domains=domains,
        modes=tuple(rng.choice(_MODES) for _ in range(runs)),
        gaps=tuple(rng.choice(_GAPS) for _ in range(runs)),
        events=(_early(_event(1, first, kinds[first], runs, rng), kinds[first]), *events),
    )
    for name, kind in aside.items():
        story = _with(story, name, kind)
    return story


def _with(story: Story, name: str, kind: Kind) -> Story:
    """The story, in a share of all with one more event, and one more run where that needs it; nothing else shifts."""
    rng = Random(f"{story.seed}|{name}")
    if (
        rng.random() >= kind.share
        or (kind.by_files and not may_have_files(story.seed))
        or not set(kind.needs) <= set(story.domains)
    ):
        return story
    more = range(len(story.modes), kind.from_run)
    story = replace(
        story,
        modes=(*story.modes, *(rng.choice(_MODES) for _ in more)),
        gaps=(*story.gaps, *(rng.choice(_GAPS) for _ in more)),
    )
    event = _event(len(story.events) + 1, name, kind, len(story.modes), rng)
    return replace(story, events=(*story.events, event))


def _early(event: Event, kind: Kind) -> Event:
    """The event as soon as its kind of moment comes, or soon after, so that it does happen."""
    moment = replace(event.moment, run=kind.from_run, nth=1 + (event.moment.nth - 1) % kind.early)
    return replace(event, moment=moment)


def _event(number: int, name: str, kind: Kind, runs: int, rng: Random) -> Event:
    at = rng.choice(sorted(kind.at))
    moment = Moment(rng.randint(kind.from_run, runs), at, rng.randint(1, kind.at[at]))
    return Event(number, name, moment, rng.randrange(1 << 30))
