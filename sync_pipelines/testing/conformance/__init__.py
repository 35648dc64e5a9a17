"""The conformance suite for systems: what an adapter has to do, whatever its vendor, and whether its passport is true.

Run it with four lines::

    from my_facts import MyFacts
    from sync_pipelines.testing.conformance import Conformance

    class TestMySystem(Conformance):
        new = MyFacts

`MyFacts` derives from `sync_pipelines.testing.facts.Facts`; for a stand-in of `sync_pipelines.sandbox` it derives from
`sync_pipelines.testing.stand_in.StandIn`, which has most of it already. Each test is asked of a fresh system.
"""

from sync_pipelines.testing.conformance.asking import Question
from sync_pipelines.testing.conformance.suite import QUESTIONS, Answer, Conformance, ask, ask_all, lies

__all__ = ["QUESTIONS", "Answer", "Conformance", "Question", "ask", "ask_all", "lies"]
