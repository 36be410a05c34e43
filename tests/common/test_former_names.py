import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common import former_names
from vidrep_pipelines.common.former_names import (
    NAMESPACES,
    PARAMETERS,
    current_dataset,
    current_namespace,
    current_parameters,
    current_pipeline,
)
from vidrep_pipelines.training.task import load_described


@pytest.fixture(autouse=True)
def nothing_said() -> Iterator[None]:
    former_names._say.cache_clear()
    yield
    former_names._say.cache_clear()


@pytest.mark.parametrize(
    ("former", "current"),
    [
        ("rsp.checkpoint", "rsp_checkpoint"),
        ("carl_kinetics.checkpoint", "carl_kinetics_checkpoint"),
        ("voc_dino_tokenizer.checkpoint", "voc_tokenizer_dino_checkpoint"),
        ("voc_joint_tokenizer.checkpoint", "voc_tokenizer_joint_checkpoint"),
        ("voc_dino_tokenizer.train_log", "voc_tokenizer_dino.train_log"),
        ("pouring.video_frames", "pouring_video_frames"),
        ("finegym.labelled_videos", "finegym_labelled_videos"),
        ("dmc.frames", "dmc_frames"),
    ],
)
def test_former_datasets(former: str, current: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert [current_dataset(former), current_dataset(former)] == [current, current]
    (said,) = caplog.messages
    assert said.startswith(
        f"{former} is called {current} now. The former name goes with the next minor version"
    )


@pytest.mark.parametrize(
    "name", ["rsp_checkpoint", "rsp.train_log", "frame_store", "dmc.report", "carl.untrained_checkpoint"]
)
def test_current_datasets_stay(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert current_dataset(name) == name
    assert caplog.messages == []


def test_former_nodes_and_namespaces() -> None:
    assert current_namespace("voc_vae_tokenizer.train") == "voc_tokenizer_vae.train"
    assert current_namespace("voc_vae_tokenizer") == "voc_tokenizer_vae"
    assert current_namespace("voc_vae.train") == "voc_vae.train"


def test_former_pipelines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(former_names.PIPELINES, "train_rsp", "pretrain_rsp")
    assert [current_pipeline(name) for name in ("train_rsp", "ingest")] == ["pretrain_rsp", "ingest"]


def test_former_parameters(caplog: pytest.LogCaptureFixture) -> None:
    given_before = {
        "voc_dino_tokenizer": {"train": {"steps": 60}},
        "dmc": {"agent": {"episodes": 3}, "store": {"name": "x"}},
        "rsp": {"train": {"steps": 1}},
    }
    assert current_parameters(given_before) == {
        "voc_tokenizer_dino": {"train": {"steps": 60}},
        "sample_agent": {"episodes": 3},
        "dmc": {"store": {"name": "x"}},
        "rsp": {"train": {"steps": 1}},
    }
    assert current_parameters({"dmc": {"agent": {"episodes": 3}}}) == {"sample_agent": {"episodes": 3}}
    assert len(caplog.messages) == 2  # once per name


def test_of_a_value_under_both_names_the_current_one_counts() -> None:
    both = {
        "voc_vae_tokenizer": {"train": {"steps": 1, "batch_size": 2}},
        "voc_tokenizer_vae": {"train": {"steps": 9}},
    }
    assert current_parameters(both) == {"voc_tokenizer_vae": {"train": {"steps": 9, "batch_size": 2}}}


@given(st.recursive(st.integers() | st.none(), lambda inner: st.dictionaries(st.text(max_size=3), inner)))
def test_other_parameters_stay_as_they_are(value: Any) -> None:
    tree = {"dmc": value, "rsp": value}
    assert current_parameters(tree) == tree


def test_no_name_is_both_former_and_current() -> None:
    for table in (NAMESPACES, PARAMETERS, former_names.PIPELINES):
        assert not set(table) & set(table.values())


@pytest.mark.parametrize(
    ("former", "current"),
    [
        ("rsp.checkpoint", "rsp_checkpoint"),
        ("voc_dino_tokenizer.checkpoint", "voc_tokenizer_dino_checkpoint"),
        ("voc_dino_tokenizer.train_log", "voc_tokenizer_dino.train_log"),
        ("pouring.video_frames", "pouring_video_frames"),
        ("dmc.frames", "dmc_frames"),
        ("frame_store", "frame_store"),
        ("rsp.train_log", "rsp.train_log"),
    ],
)
def test_former_and_current_names_of_datasets_lead_to_each_other(former: str, current: str) -> None:
    assert former_names.renamed_dataset(former) == current
    assert former_names.former_dataset(current) == former


@pytest.mark.parametrize(
    ("where", "config", "has", "kind"),
    [
        (
            "vidrep_pipelines.models.voc.tokenizers.vqkd.task:VqkdTask",
            {"frame_store": "frames"},
            "build_model",
            "VqkdTask",
        ),
        (
            "vidrep_pipelines.evaluation.label_propagation.probe:LabelPropagationProbe",
            {"every": 33, "davis": None},
            "measure",
            "LabelPropagationTrainingProbe",
        ),
    ],
)
def test_a_class_that_a_stored_specification_names_is_found(
    where: str, config: dict[str, Any], has: str, kind: str
) -> None:
    assert type(load_described(where, config, "spec", has)).__name__ == kind
