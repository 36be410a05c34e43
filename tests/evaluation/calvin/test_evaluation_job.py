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
from vidrep_pipelines.evaluation.calvin.contenders import Contender, floor_contender
from vidrep_pipelines.evaluation.calvin.evaluation_job import (
    calvin_job,
    rows_of_evaluation,
    settings_of_run,
)
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureConfig, MiniatureMaker
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.runner import is_complete, run_job

CONFIG = CalvinEvaluationConfig(sequences=5, block=2, rollout=RolloutConfig(most_steps=90))
REFUSED = ("turn_on_led", "open_drawer")


def contender(policy: UnwillingMaker, config: CalvinEvaluationConfig = CONFIG) -> Contender:
    return Contender("unwilling", (policy,), config, config.sequences)


def job(
    policy: UnwillingMaker | None = None, config: CalvinEvaluationConfig = CONFIG, **fanout: object
) -> Job:
    own = contender(policy or UnwillingMaker(REFUSED), config)
    return calvin_job(MiniatureMaker(), [own], SERIAL.model_copy(update=fanout))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return rows_of_evaluation(run_job(job(), tmp_path_factory.mktemp("undisturbed")))


def test_every_attempt_is_a_row(undisturbed: pd.DataFrame) -> None:
    assert sorted(set(undisturbed["sequence"])) == list(range(5))
    assert undisturbed["block"].unique().tolist() == [
        "unwilling/0000-0001", "unwilling/0002-0003", "unwilling/0004-0004"
    ]  # fmt: skip
    failed = undisturbed[~undisturbed["success"]]
    assert set(failed["task"]) <= set(REFUSED) and len(failed) > 0
    assert set(undisturbed["policy"]) == {"unwilling"} and set(undisturbed["renderer"]) == {"miniature"}
    assert undisturbed["settings"].nunique() == 1
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
    done = {path: path.stat().st_mtime_ns for path in folder.glob("unwilling/*.parquet")}
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
        return calvin_job(world, [contender(policy, config)], SERIAL).items[0].digest

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
    with pytest.raises(InputError, match=r"3 blocks .*unwilling/0000-0001: execute_steps is 11"):
        rows_of_evaluation(parts)


def test_policies_of_a_run_attempt_the_same_sequences_each_by_its_own_settings(tmp_path: Path) -> None:
    both = [contender(UnwillingMaker(REFUSED)), floor_contender("still", CONFIG, sequences=3)]
    rows = rows_of_evaluation(run_job(calvin_job(MiniatureMaker(), both, SERIAL), tmp_path))
    assert rows.groupby("policy", sort=False)["sequence"].nunique().to_dict() == {"unwilling": 5, "still": 3}
    assert rows["policy"].drop_duplicates().tolist() == ["unwilling", "still"]
    tasks = rows.drop_duplicates(["policy", "sequence"]).pivot_table(
        index="sequence", columns="policy", values="tasks", aggfunc="first"
    )
    assert (tasks["still"] == tasks["unwilling"])[:3].all()
    settings = settings_of_run(MiniatureMaker(), both)
    assert {name: own["digest"] for name, own in settings.items()} == dict(
        rows.groupby("policy")["settings"].first()
    )
    assert settings["still"]["attempted"] == 3 and settings["still"]["policy"]["policy"] == "still"


def test_blocks_are_dealt_to_the_makers_of_a_policy_in_turn() -> None:
    makers = UnwillingMaker(), UnwillingMaker(REFUSED)
    items = calvin_job(MiniatureMaker(), [Contender("dealt", makers, CONFIG, 5)], SERIAL).items
    assert [item.payload.policy for item in items] == [makers[0], makers[1], makers[0]]
    assert len({item.digest for item in items}) == 1
