"""The last lines of a run, and the words in them."""

import re
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from kedro_datasets.pillow import ImageDataset
from PIL import Image

from vidrep_pipelines.data.label_sequences.config import DavisConfig, JhmdbConfig, VipConfig
from vidrep_pipelines.data.sources.davis_names import DAVIS_SEQUENCES
from vidrep_pipelines.headlines import HEADLINES, Headline, headline_lines, headline_of
from vidrep_pipelines.ledger import RunLedger, blocks_of
from vidrep_pipelines.pipeline_registry import register_pipelines
from vidrep_pipelines.pipelines.data_in_words import data_in_words, is_published_benchmark, missing_release
from vidrep_pipelines.results import ResultHook

DAVIS = next(headline for headline in HEADLINES if headline.dataset == "davis.summary")


@pytest.fixture(scope="module")
def registered() -> dict[str, Pipeline]:
    return register_pipelines()


@pytest.mark.parametrize("headline", HEADLINES, ids=lambda headline: headline.dataset)
def test_every_headline_is_a_table_of_a_pipeline_that_reads_its_data(
    headline: Headline, registered: dict[str, Pipeline]
) -> None:
    making = [
        pipeline
        for pipeline in registered.values()
        if any(fnmatchcase(name, headline.dataset) for name in pipeline.all_outputs())
    ]
    assert making
    assert all(headline.data in blocks_of(pipeline) for pipeline in making)


def test_every_evaluation_has_a_headline(registered: dict[str, Pipeline]) -> None:
    without = {
        name
        for name, pipeline in registered.items()
        if name.startswith("eval_") and not any(map(headline_of, pipeline.all_outputs()))
    }
    assert without == set()


def summary(*rows: tuple[str, str, float, float, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["measure", "encoder", "value", "low", "high"])
    return table.assign(sequences=12)


def test_scores_stand_beside_intervals_and_floors() -> None:
    table = summary(
        ("J&F-Mean", "rsp", 41.234, 38.0, 44.51),
        ("J&F-Mean", "random", 35.0, float("nan"), float("nan")),
        ("J-Mean", "rsp", 40.0, 1.0, 2.0),
    )
    assert headline_lines(DAVIS, table) == [
        "label propagation, %, with 95 % intervals",
        "  J&F-Mean",
        "    rsp         41.2  [38, 44.5]",
        "    random        35  floor",
    ]
    (line,) = headline_lines(DAVIS, table.head(0))
    assert "nothing was scored" in line


def test_only_the_rows_of_the_whole_are_shown() -> None:
    rollouts = next(headline for headline in HEADLINES if headline.dataset == "rollout.successes")
    table = pd.DataFrame(
        [("trained", "all", 0.4, 0.3, 0.5), ("scripted", "all", 1, 0.9, 1), ("trained", "push", 0, 0, 1)],
        columns=["condition", "task", "success", "low", "high"],
    )
    lines = headline_lines(rollouts, table.assign(episodes=50))
    assert lines[1:] == [
        "    trained        0.4  [0.3, 0.5]",
        "    scripted         1  [0.9, 1]  ceiling",
    ]


DAVIS_FOLDER = {"davis": DavisConfig(root=Path("/d"))}
VAL = sorted(DAVIS_SEQUENCES["val"])
OWN = [f"video_{number}" for number in range(30)]


@pytest.mark.parametrize(
    ("block", "parameters", "count", "words"),
    [
        ("davis", {"davis": DavisConfig()}, 12, "12 clips of the sample world in DAVIS-2017's layout, not"),
        ("vip", {"vip": VipConfig(root=Path("/v"))}, 7, "VIP in /v, 7 of its videos"),
        ("ingest", {"ingest": SimpleNamespace(root="s3://x")}, None, "the videos in s3://x"),
        ("robonet", {"ingest": SimpleNamespace(root="/w")}, 4, "4 clips of the videos in /w, not RoboNet"),
        ("robot_episodes", {"robot_episodes": SimpleNamespace(lerobot={"a": 1})}, 4, "of lerobot: a"),
        ("robot_episodes", {"robot_episodes": SimpleNamespace()}, 4, "episodes of the sample world's table"),
        ("calvin", {"calvin": SimpleNamespace(world=SimpleNamespace(kind="miniature"))}, 4, "not CALVIN"),
    ],
)
def test_data_are_named_for_what_they_are(
    block: str, parameters: dict[str, Any], count: int | None, words: str
) -> None:
    assert words in data_in_words(block, parameters, count)
    assert not is_published_benchmark(block, parameters, count)


@pytest.mark.parametrize(
    ("count", "names", "words", "is_benchmark"),
    [
        (30, VAL, "DAVIS-2017 val, 30 sequences", True),
        (29, VAL[1:], "DAVIS-2017 val, 29 sequences of 30", False),
        (30, OWN, "30 sequences in DAVIS-2017's layout in /d (list val)", False),
        (30, [*VAL[1:], "mine"], "30 sequences in DAVIS-2017's layout in /d (list val)", False),
        (30, [], "30 sequences in DAVIS-2017's layout in /d (list val)", False),
        (None, OWN, "sequences in DAVIS-2017's layout in /d (list val)", False),
    ],
)
def test_davis_is_known_by_its_sequences(
    count: int | None, names: list[str], words: str, is_benchmark: bool
) -> None:
    """Thirty videos of one's own are as many as the list has, and are not DAVIS."""
    assert data_in_words("davis", DAVIS_FOLDER, count, names) == words
    assert is_published_benchmark("davis", DAVIS_FOLDER, count, names) is is_benchmark


def test_the_lists_of_davis_have_their_lengths() -> None:
    assert {name: len(names) for name, names in DAVIS_SEQUENCES.items()} == {"train": 60, "val": 30}
    assert DAVIS_SEQUENCES["train"].isdisjoint(DAVIS_SEQUENCES["val"])


def test_all_videos_of_a_release_are_its_benchmark() -> None:
    parameters = {"jhmdb": JhmdbConfig(root=Path("/j"))}
    assert is_published_benchmark("jhmdb", parameters, 268)
    assert not is_published_benchmark("jhmdb", parameters, 267)
    assert not is_published_benchmark("jhmdb", {"jhmdb": JhmdbConfig()}, 268)


def test_a_release_that_is_not_given_is_said_at_the_start() -> None:
    text = missing_release("davis", {"davis": DavisConfig()})
    assert text is not None and "DAVIS-2017 itself is not configured" in text and "VIDREP_DAVIS=" in text
    assert missing_release("davis", {"davis": DavisConfig(root=Path("/d"))}) is None
    assert missing_release("dmc", {}) is None


def test_trainings_say_what_became_of_the_loss(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"status": "trained", "step": 8, "first": {"train/loss": 2.0}, "last": {"train/loss": 0.25}}
    node = Node(lambda: 1, None, ["rsp.train_metrics", "vpp.train_metrics"], name="train")
    about: dict[str, Any] = {"pipeline": Pipeline([node]), "catalog": DataCatalog()}
    ledger = RunLedger()
    hook = ResultHook(ledger)
    ledger.before_pipeline_run({}, **about)
    hook.before_pipeline_run(**about)
    ledger.after_node_run(node, {}, {"rsp.train_metrics": metrics, "vpp.train_metrics": {"a": metrics}})
    hook.after_pipeline_run({"pipeline_names": ["pretrain_rsp"]}, **about)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "rsp: trained up to update 8, loss 2 at first, 0.25 now"
    assert lines[2].startswith("done in")


def test_last_lines_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], project_root: Path) -> None:
    table = summary(("J&F-Mean", "rsp", 41.2, 38.0, 44.5))
    pipeline = Pipeline(
        [
            Node(lambda _: table, ["params:davis"], "davis.summary", name="score"),
            Node(lambda _: Image.new("RGB", (4, 4)), "davis.summary", "bars", name="draw"),
        ]
    )
    bars = ImageDataset(filepath=str(tmp_path / "davis" / "bars.png"))
    catalog = DataCatalog({"params:davis": MemoryDataset(DavisConfig()), "bars": bars})
    manager, ledger = _create_hook_manager(), RunLedger()
    _register_hooks(manager, (ledger, ResultHook(ledger, lambda *_: tmp_path / "report.html")))
    context: Any = SimpleNamespace(project_path=project_root, env="laptop")
    ledger.after_context_created(context)
    arguments = {"run_params": {"pipeline_names": ["pretrain_rsp"]}, "pipeline": pipeline, "catalog": catalog}
    manager.hook.before_pipeline_run(**arguments)
    assert "DAVIS-2017 itself is not configured" in capsys.readouterr().out
    SequentialRunner().run(pipeline, catalog, manager)
    manager.hook.after_pipeline_run(**arguments, run_result={})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:5] == [
        *headline_lines(DAVIS, table),
        "measured on: 12 clips of the sample world in DAVIS-2017's layout, not DAVIS-2017",
    ]
    assert re.match(r"done in \d s: commit \w+( with changes)?, environment laptop, ", lines[5])
    assert lines[6] == f"look at: {tmp_path}/davis/ (bars.png)"
    assert lines[7].startswith("next: kedro run --pipelines eval_davis; ")
    assert lines[8:] == [f"report of all runs: {tmp_path}/report.html"]


def test_a_contender_is_called_by_its_system() -> None:
    names = {
        "davis.summary": ("rsp", "rsp"),
        "carl_finegym.phases_summary": ("trained", "carl_finegym"),
        "voc_dino.occupancy_scores": ("value_error", "voc_dino"),
        "vqvae_clips.reconstruction_summary": ("psnr", "vqvae_clips"),
        "rollout.successes": ("untrained", "untrained"),
    }
    for dataset, (contender, system) in names.items():
        headline = headline_of(dataset)
        assert headline is not None and headline.system_of(contender, dataset) == system
