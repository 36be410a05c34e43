"""A run whose processes are killed, stopped and crashed at random ends like a quiet one.

The same for hours, with all systems: see docs/fanout.md.
"""

from pathlib import Path

import pytest

from tests.helpers.chaos import Chaos, chaos_parameters
from tests.helpers.project import merged


@pytest.mark.slow
def test_a_run_under_random_signals_ends_like_a_quiet_one(tmp_path: Path) -> None:
    parameters = merged(chaos_parameters(), {"encoders": {"use": ["rsp", "pixels"]}})
    chaos = Chaos("eval_davis", parameters, tmp_path, seed=1)
    assert chaos.run(60) == []
    assert any(" to " in event for event in chaos.events), chaos.events
