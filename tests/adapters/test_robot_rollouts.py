import logging
from pathlib import Path

import pandas as pd
import pytest

from vidrep_pipelines.adapters.encoders import EncoderSource
from vidrep_pipelines.adapters.robot_inputs import robot_inputs
from vidrep_pipelines.adapters.robot_rollouts import RobotEvaluation, require_heads
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world.tabletop import TabletopConfig, TabletopEpisodesConfig
from vidrep_pipelines.evaluation.encoders.config import PixelEncoderConfig
from vidrep_pipelines.evaluation.robot_cloning.blind_environment import BlindMaker
from vidrep_pipelines.evaluation.robot_cloning.config import RobotEvaluationConfig
from vidrep_pipelines.evaluation.robot_cloning.demonstrations import Demonstration
from vidrep_pipelines.evaluation.robot_cloning.head_training import DemonstrationStore
from vidrep_pipelines.evaluation.robot_cloning.robot_report import attempts_of
from vidrep_pipelines.evaluation.robot_cloning.robot_worlds import TabletopWorld
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.parts import Parts

WORLD = TabletopWorld(TabletopEpisodesConfig(table=TabletopConfig(width=32, height=32)))
SHOWN = [Demonstration(view, view, "lift_up", f"lift the {view} cup up", view) for view in ("red", "blue")]
PIXELS = EncoderSource(name="pixels", config=PixelEncoderConfig(), digest="pixels")


def evaluation(**changes: object) -> RobotEvaluation:
    config = RobotEvaluationConfig.model_validate(
        {"episodes": 3, "selection_episodes": 2, "seeds": (0, 4), "block": 2, **changes}
    )
    inputs = tuple(robot_inputs([PIXELS], config))
    return RobotEvaluation(config, WORLD, inputs, {"lift_up": SHOWN}, DemonstrationStore(Path("store"), "x"))


def parts(names: list[str], failed: str | None = None) -> Parts:
    table = pd.DataFrame(
        {"id": names, "status": "ok", "error": None, "digest": [f"d-{one}" for one in names]}
    )
    if failed is not None:
        table.loc[table["id"] == failed, ["status", "error"]] = "failed", "it broke."
    return Parts(Path("parts"), table, (".safetensors",))


FEATURES = [f"{name}/{view}" for name in ("pixels", "state") for view in ("red", "blue")]


def test_there_is_a_head_for_every_input_task_and_seed() -> None:
    own = evaluation()
    heads = own.heads(parts(FEATURES))
    assert list(heads) == [
        f"{name}/lift_up/{seed}" for name in ("pixels", "proprioception", "state") for seed in (0, 4)
    ]
    assert heads["proprioception/lift_up/0"].features is None
    assert heads["pixels/lift_up/4"].features == Path("parts").absolute() / "pixels"
    assert heads["pixels/lift_up/4"].given.words == ("blue", "red")
    assert (
        heads["pixels/lift_up/4"].given.proprioception and not heads["state/lift_up/4"].given.proprioception
    )
    digests = own.feature_digests(heads, parts(FEATURES))
    assert digests["pixels/lift_up/0"] == digests["pixels/lift_up/4"] != digests["state/lift_up/0"]


def test_an_input_without_all_features_is_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        heads = evaluation().heads(parts(FEATURES, failed="state/blue"))
    assert "state/lift_up/0" not in heads and "state is left out" in caplog.text
    with pytest.raises(InputError, match="it broke"):
        evaluation(floors=[]).heads(parts(["pixels/red"], failed="pixels/red"))


def test_heads_act_in_as_many_layouts_as_are_asked_for() -> None:
    own, heads = evaluation(), parts([f"{name}/lift_up/0" for name in ("pixels", "proprioception", "state")])
    attempts = attempts_of(heads.ids, [5, 10])
    chosen, measured = (own.conditions(heads, attempts, part) for part in ("validation", "test"))
    assert [len(one.starts) for one in chosen] == [2] * 6 and [len(one.starts) for one in measured] == [3] * 6
    assert measured[0].name == "pixels/lift_up/0/000005" and measured[0].environment == WORLD.maker
    assert measured[2].environment == BlindMaker(WORLD.maker)
    assert measured[4].environment == BlindMaker(WORLD.maker, exact=True)
    assert len({str(one.settings) for one in measured}) == 6
    assert all(one.config.execute_steps == 1 and one.config.most_steps == 40 for one in measured)
    [expert] = own.expert_conditions()
    assert expert.starts == measured[0].starts and evaluation(ceilings=[]).expert_conditions() == []
    job = own.rollouts(measured, FanOutConfig())
    assert len(job.items) == 12 and job.config.deadline_seconds >= 480 and job.config.retry_failed


def test_floors_and_names_in_their_order() -> None:
    assert evaluation().names == ["pixels", "proprioception", "state", "expert"]
    assert evaluation().floors == ["pixels", "proprioception"]
    described = evaluation().described
    assert described["renderer"] == "sample_world/plain_32x32" and described["demonstrations"] == {
        "lift_up": 2
    }


def test_a_head_that_was_not_trained_stops_the_evaluation() -> None:
    assert require_heads(parts(["a/b/0"])) == ["a/b/0"]
    with pytest.raises(InputError, match="a/b/1 could not be trained: it broke"):
        require_heads(parts(["a/b/0", "a/b/1"], failed="a/b/1"))
