"""Asks a system all questions, as tests that pytest collects or one after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from types import ModuleType
from unittest import SkipTest

from sync_pipelines.engine.outcome import Result
from sync_pipelines.errors import SyncError
from sync_pipelines.testing.conformance import content, cost, doubt, reading, wire, writing
from sync_pipelines.testing.conformance.asking import Question
from sync_pipelines.testing.facts import Facts, NotChecked


def _questions(*modules: ModuleType) -> Iterator[Question]:
    return (each for module in modules for each in vars(module).values() if isinstance(each, Question))


QUESTIONS = tuple(_questions(reading, writing, doubt, wire, content, cost))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question: `told` is what is wrong, or why it could not be asked."""

    question: str
    claims: tuple[str, ...]
    result: Result
    told: str = ""


def ask(question: Question, new: Callable[[], Facts]) -> Answer:
    """One question, asked of the fresh system that `new` gives."""
    try:
        told = question.ask(new())
    except NotChecked as reason:
        return Answer(question.name, question.claims, Result.NOT_CHECKED, str(reason))
    except SyncError as error:
        return Answer(question.name, question.claims, Result.FAILED, f"{type(error).__name__}: {error}")
    return Answer(question.name, question.claims, Result.FAILED if told else Result.PASSED, told)


def ask_all(new: Callable[[], Facts], *, claims: Collection[str] = ()) -> list[Answer]:
    """Every question, or only those that put one of these claims to the test."""
    asked = [question for question in QUESTIONS if not claims or set(claims) & set(question.claims)]
    return [ask(question, new) for question in asked]


def lies(new: Callable[[], Facts], *, claims: Collection[str] = ()) -> list[Answer]:
    """What a system does not bear out."""
    return [each for each in ask_all(new, claims=claims) if each.result is Result.FAILED]


class Conformance:
    """The suite as tests: derive from it, say how a fresh system is made, and pytest finds the tests.

    Example::

        class TestMySystem(Conformance):
            new = MyFacts

    A test that does not apply to what the passport claims, or that needs a hook which the facts don't offer, is
    skipped with the reason.
    """

    new: Callable[[], Facts]


def _test(question: Question) -> Callable[[Conformance], None]:
    def test(self: Conformance) -> None:
        __tracebackhide__ = True
        answer = ask(question, self.new)
        if answer.result is Result.NOT_CHECKED:
            raise SkipTest(answer.told)
        if answer.result is Result.FAILED:
            claims = f" (the passport claims {', '.join(question.claims)})" if question.claims else ""
            raise AssertionError(f"{answer.told}{claims}")

    test.__name__ = f"test_{question.name}"
    test.__doc__ = f"{question.name.replace('_', ' ').capitalize()}."
    return test


for _each in QUESTIONS:
    setattr(Conformance, f"test_{_each.name}", _test(_each))
