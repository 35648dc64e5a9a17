"""Half of the seeds of the test run; the other half is in a file of its own, for another worker."""

from __future__ import annotations

import pytest
from seeds import SEEDS, first_kind, judged

from sync_pipelines.testing.simulation.campaign import Field


@pytest.mark.parametrize("seed", SEEDS[0::2], ids=lambda seed: f"{seed}-{first_kind(seed)}")
def test_a_company_ends_in_agreement_whatever_happened(field: Field, seed: int) -> None:
    lived = judged(field, seed)

    assert lived.injected[first_kind(seed).partition(".")[0]]
