"""Half of the seeds of the test run; the other half is in a file of its own, for another worker."""

from __future__ import annotations

import pytest
import seeds
from seeds import SEEDS, Seen, name_of

from sync_pipelines.testing.simulation.campaign import Field

seen = pytest.fixture(scope="module")(seeds.seen)


@pytest.mark.parametrize("seed", SEEDS[0::2], ids=name_of)
def test_a_company_ends_in_agreement_whatever_happened(field: Field, seen: Seen, seed: int) -> None:
    seen.judge(field, seed)
