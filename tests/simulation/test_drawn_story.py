"""Stories: the same from the same seed, short where they fail, and told so that anybody can see them again."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from sync_pipelines.testing.simulation import __main__ as command
from sync_pipelines.testing.simulation import campaign, injector
from sync_pipelines.testing.simulation.campaign import Field, Lived, Tally, story_of, story_told
from sync_pipelines.testing.simulation.invariant import Violation
from sync_pipelines.testing.simulation.story import draw


def test_a_seed_gives_the_same_life_twice_byte_for_byte(field: Field) -> None:
    story = story_of(3)

    first, second = field.live(story), field.live(story)

    assert "\n".join(first.log).encode() == "\n".join(second.log).encode()
    assert first == second


def test_seeds_that_follow_each_other_begin_with_one_kind_after_the_other() -> None:
    kinds = [name for name, kind in injector.KINDS.items() if not kind.share]

    assert [story_of(seed).events[0].name for seed in range(1000, 1000 + len(kinds))] == [
        kinds[seed % len(kinds)] for seed in range(1000, 1000 + len(kinds))
    ]


def test_a_story_is_drawn_from_its_seed_alone() -> None:
    assert story_of(11) == story_of(11)
    assert story_of(11) != story_of(11 + len(injector.KINDS))


def test_a_kind_that_happens_beside_others_leaves_each_story_as_it_was() -> None:
    beside = {name for name, kind in injector.KINDS.items() if kind.share}
    without = {name: kind for name, kind in injector.KINDS.items() if name not in beside}

    for seed in range(400):
        with_them, before = story_of(seed), draw(seed, without)
        assert [e for e in with_them.events if e.name not in beside] == list(before.events)
        assert (with_them.domains, with_them.modes[: len(before.modes)]) == (before.domains, before.modes)
        assert {e.moment.run for e in with_them.events} <= set(range(1, len(with_them.modes) + 1))
    assert beside <= {event.name for seed in range(400) for event in story_of(seed).events}


def test_a_kind_is_only_drawn_where_its_domains_are() -> None:
    stories = [story_of(seed) for seed in range(300)]

    assert all(set(injector.KINDS[e.name].needs) <= set(story.domains) for story in stories for e in story.events)


class Made:
    """A field on which an invariant breaks if and only if one event happens."""

    def __init__(self, guilty: int) -> None:
        self.guilty = guilty
        self.lives = 0

    def live(self, story: campaign.Story) -> Lived:
        self.lives += 1
        numbers = tuple(event.number for event in story.events)
        violations = (Violation("no_duplicates", "twice"),) if self.guilty in numbers else ()
        return Lived(story.seed, (), Counter(), violations, numbers=numbers)


def test_a_failing_story_is_shortened_to_what_breaks_it() -> None:
    story, made = story_of(5), Made(guilty=1)

    shorter, lived = Field.shorten(made, story, made.live(story))  # type: ignore[arg-type]

    assert ([event.number for event in shorter.events], lived.numbers) == ([1], (1,))
    assert made.lives == 1 + len(story.events)


def test_a_story_is_told_with_the_command_that_lives_it_again() -> None:
    lived = Lived(5, ("run 1: F1.reply_lost",), Counter(), (Violation("no_duplicates", "twice"),), numbers=(2, 4))

    assert story_told(lived, replayed=True).splitlines() == [
        "seed 5",
        "  run 1: F1.reply_lost",
        "  BROKEN no_duplicates: twice",
        "  again: make faults SEEDS=5 EVENTS=2,4",
    ]


@pytest.mark.parametrize(("violations", "code"), [((), 0), ((Violation("no_duplicates", "twice"),), 1)])
def test_a_campaign_ends_with_its_figures_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    violations: tuple[Violation, ...],
    code: int,
) -> None:
    def run(seeds: range, **_: object) -> Tally:
        tally = Tally()
        for seed in seeds:
            tally.add(Lived(seed, (), Counter(F1=2), violations if seed == 3 else ()))
        return tally

    monkeypatch.setattr(campaign, "run", run)
    monkeypatch.setattr(command, "MOST_SHORTENED", 0)
    monkeypatch.setattr(command.Field, "open", lambda *_, **__: None)

    ended = command.main(["1-3", "--json", "--state", str(tmp_path)])

    *_, machines, last = capsys.readouterr().out.splitlines()
    assert (ended, last) == (code, f"3 seeds, 6 faults injected, {code} violations")
    assert json.loads(machines)["injected"] == {"F1": 6}


def test_only_some_events_of_a_story_can_be_lived() -> None:
    story = story_of(5)

    assert story.only([1]) == replace(story, events=story.events[:1])
