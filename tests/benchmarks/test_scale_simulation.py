"""The simulation of many clips, with a hundred thousand of them."""

from pathlib import Path

import pytest

from benchmarks import scale_simulation
from vidrep_pipelines.data.tables.partitioned_table import PartitionedTable

ROWS = 100_000


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """What each step found out, all in this process."""
    folder = tmp_path_factory.mktemp("simulation")
    return {step.__name__: step(folder, ROWS) for step in scale_simulation.STEPS}


def test_no_row_is_lost_on_the_way(facts: dict[str, dict[str, float]]) -> None:
    assert facts["index_videos"] == facts["index_resized"] == {"rows": ROWS}
    assert facts["plan_resize"] == {"items": ROWS}
    failed, short = ROWS // 100, ROWS // 250
    assert facts["filter_labels"] == {"kept": ROWS - failed - short, "dropped": failed + short}


def test_one_process_gets_its_share_of_an_epoch(facts: dict[str, dict[str, float]]) -> None:
    clips = facts["filter_labels"]["kept"]
    assert facts["set_up_sampler"] == {"clips": clips, "items": 3}
    updates = clips // scale_simulation.BATCH_SIZE
    share = updates * scale_simulation.BATCH_SIZE // scale_simulation.WORLD_SIZE
    assert facts["one_epoch"] == {"items": share, "distinct": share}


def test_what_a_worker_receives_does_not_grow_with_the_data(facts: dict[str, dict[str, float]]) -> None:
    assert facts["loader_worker"]["message_bytes"] < 2000
    assert facts["loader_worker"]["names"] > 9000


def test_steps_are_measured_in_processes_of_their_own(tmp_path: Path) -> None:
    measured = next(iter(scale_simulation.simulate(1000, tmp_path)))
    assert (measured.name, len(PartitionedTable(tmp_path / "listing"))) == ("make_tables", 1000)
    assert measured.seconds > 0
    assert measured.peak_megabytes > 20
