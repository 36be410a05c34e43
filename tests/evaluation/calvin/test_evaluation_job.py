import pickle
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.calvin_world import MortalMaker, UnwillingMaker
from tests.helpers.stores import SERIAL
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.calvin.config import CalvinEvaluationConfig
from vidrep_pipelines.evaluation.calvin.evaluation_job import calvin_job, rows_of_evaluation
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureConfig, MiniatureMaker
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.runner import is_complete, run_job

CONFIG = CalvinEvaluationConfig(sequences=5, block=2, rollout=RolloutConfig(most_steps=90))
REFUSED = ("turn_on_led", "open_drawer")


def job(
    policy: UnwillingMaker | None = None, config: CalvinEvaluationConfig = CONFIG, **fanout: object
) -> Job:
    maker = policy or UnwillingMaker(REFUSED)
    return calvin_job(MiniatureMaker(), maker, config, SERIAL.model_copy(update=fanout))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return rows_of_evaluation(run_job(job(), tmp_path_factory.mktemp("undisturbed")))


def test_every_attempt_is_a_row(undisturbed: pd.DataFrame) -> None:
    assert sorted(set(undisturbed["sequence"])) == list(range(5))
    assert undisturbed["block"].unique().tolist() == [
        "sequences/0000-0001", "sequences/0002-0003", "sequences/0004-0004"
    ]  # fmt: skip
    failed = undisturbed[~undisturbed["success"]]
    assert set(failed["task"]) <= set(REFUSED) and len(failed) > 0
    assert set(undisturbed["renderer"]) == {"miniature"} and undisturbed["settings"].nunique() == 1
    last = undisturbed.groupby("sequence").tail(1)
    assert (last["success"] == (last["place"] == 4)).all()
    for row in undisturbed.to_dict("records"):
        assert row["tasks"].split(",")[row["place"]] == row["task"]


def test_a_killed_evaluation_goes_on_where_it_was(tmp_path: Path, undisturbed: pd.DataFrame) -> None:
    """The driver is killed in the third block; what it had done stays, and only the rest is done."""
    folder, count = tmp_path / "run", tmp_path / "count"
    mortal = job(MortalMaker(REFUSED, str(count)))
    program = (
        "import pickle, sys; from vidrep_pipelines.fanout.runner import run_job; from pathlib import Path"
    )
    program += "; run_job(pickle.load(sys.stdin.buffer), Path(sys.argv[1]))"
    killed = subprocess.run(
        [sys.executable, "-c", program, str(folder)], input=pickle.dumps(mortal), check=False
    )
    assert killed.returncode == -9 and not is_complete(folder)
    done = {path: path.stat().st_mtime_ns for path in folder.glob("sequences/*.parquet")}
    assert len(done) == 2
    parts = run_job(job(MortalMaker(REFUSED, str(count), lives=99)), folder)
    assert count.stat().st_size == 4
    assert {path: path.stat().st_mtime_ns for path in done} == done
    pd.testing.assert_frame_equal(rows_of_evaluation(parts), undisturbed)


def test_shards_merge_to_the_same_rows(tmp_path: Path, undisturbed: pd.DataFrame) -> None:
    for shard in ("1/2", "2/2"):
        run_job(job(shard=shard), tmp_path)
    parts = run_job(job(), tmp_path)
    pd.testing.assert_frame_equal(rows_of_evaluation(parts), undisturbed)


def test_what_determines_a_result_determines_its_digest() -> None:
    def digest(maker: object = None, **changes: object) -> str:
        config = CONFIG.model_copy(update=changes)
        policy = maker if isinstance(maker, UnwillingMaker) else UnwillingMaker()
        world = maker if isinstance(maker, MiniatureMaker) else MiniatureMaker()
        return calvin_job(world, policy, config, SERIAL).items[0].digest

    own = digest()
    assert digest(confidence=0.9) == digest(resamples=3) == own
    others = [
        digest(rollout=RolloutConfig(most_steps=90, execute_steps=5)),
        digest(rollout=RolloutConfig(most_steps=90, seed=1)),
        digest(rollout=RolloutConfig(most_steps=90, render="always")),
        digest(UnwillingMaker(REFUSED)),
        digest(MiniatureMaker(MiniatureConfig(static_size=16))),
        digest(environments=2),
    ]
    assert len({own, *others}) == 7


def test_failed_blocks_are_said(tmp_path: Path) -> None:
    too_many = CONFIG.model_copy(update={"rollout": RolloutConfig(execute_steps=11)})
    parts = run_job(job(config=too_many), tmp_path)
    with pytest.raises(InputError, match=r"3 blocks .*sequences/0000-0001: execute_steps is 11"):
        rows_of_evaluation(parts)
