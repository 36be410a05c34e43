from pathlib import Path

from benchmarks.run import BENCHMARKS

from benchmarks import project_costs
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.manifest import read_manifest


def test_a_killed_job_is_gone_on_with_and_nothing_is_done_twice(tmp_path: Path) -> None:
    assert project_costs.resume(tmp_path, 50, 4) > 0
    rows = read_manifest(Bookkeeping(tmp_path).manifest).to_pydict()
    assert rows["square"] == [number**2 for number in range(50)]
    assert sum(spent > 0 for spent in rows["seconds"]) <= 4


def test_every_result_has_its_goal() -> None:
    names = set(BENCHMARKS["benchmarks.project_costs"])
    assert names == project_costs.GOALS.keys() == project_costs.HOW.keys()
