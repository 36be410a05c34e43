"""A run whose processes are killed, stopped and crashed at random ends like a quiet one.

The same for hours, with all systems: see docs/fanout.md.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.chaos import Chaos, chaos_parameters
from tests.helpers.project import merged


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pipeline", "own", "seconds"),
    [
        ("eval_davis", {"encoders": {"use": ["rsp", "pixels"]}}, 60),
        ("latent_extraction_vqvae", {}, 30),
        ("latent_extraction_carl", {}, 30),
    ],
)
def test_a_run_under_random_signals_ends_like_a_quiet_one(
    pipeline: str, own: dict[str, Any], seconds: float, tmp_path: Path
) -> None:
    chaos = Chaos(pipeline, merged(chaos_parameters(), own), tmp_path, seed=1)
    assert chaos.run(seconds) == []
    assert any(" to " in event for event in chaos.events), chaos.events
