"""Encoders side by side on the clips that all of them have features of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.bootstrap import confidence_interval, mean_over_members
from vidrep_pipelines.evaluation.clip_probe.config import ClipProbeConfig, LinearClipsConfig
from vidrep_pipelines.evaluation.clip_probe.head_job import compared_clips, head_job, read_probed
from vidrep_pipelines.evaluation.clip_probe.probe_report import compare_probes, paired_lead
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.fanout.runner import run_job

SERIAL = FanOutConfig(engine="serial")
CONFIG = ClipProbeConfig(probes=("knn", "linear"), device="cpu")
ENCODERS = ["good", "noise"]


def labelled() -> pd.DataFrame:
    rows = [
        (f"{part}/{name}/{number}", part, name, "path", "digest")
        for part in ("train", "validation")
        for name in ("pour", "push", "wave")
        for number in range(6)
    ]
    return pd.DataFrame(rows, columns=["id", "part", "class_name", "path", "digest"])


def write_features(item: tuple[str, str], outputs: Mapping[str, Path]) -> dict[str, Any]:
    """Features that follow the class, or chance alone."""
    encoder, clip = item
    if clip == "train/pour/5" and encoder == "noise":
        raise InputError("broken")
    rng = np.random.default_rng(list(clip.encode()) if encoder == "noise" else 0)
    center = np.eye(8)[["pour", "push", "wave"].index(clip.split("/")[1])] if encoder == "good" else 0
    tokens = center + 0.01 * rng.normal(size=(2, 1, 8))
    with outputs[".npy"].open("wb") as file:
        np.save(file, tokens.astype(np.float16))
    return {}


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    items = [
        Item(f"{encoder}/{clip}", (encoder, clip), "1") for encoder in ENCODERS for clip in labelled()["id"]
    ]
    folder = tmp_path_factory.mktemp("features")
    return run_job(Job("clip features", write_features, items, (".npy",), SERIAL), folder)


def test_encoders_are_compared_on_the_same_clips(features: Parts, tmp_path: Path) -> None:
    clips = compared_clips(labelled(), features, [*ENCODERS, "none"])
    assert len(clips) == 35  # the clip that one encoder lacks is left out for both
    job = head_job(clips, features, [*ENCODERS, "none"], CONFIG, SERIAL)
    assert [item.id for item in job.items] == ["good/knn", "good/linear", "noise/knn", "noise/linear"]
    answers = run_job(job, tmp_path / "answers")
    summary, per_class, confusion, metrics = compare_probes(
        [*ENCODERS, "none"], labelled(), features, answers, CONFIG
    )
    values = summary.set_index(["measure", "encoder"])
    for head in CONFIG.probes:
        own = values.loc[(f"{head} top-1", "good")]
        assert own["value"] == 100 and own["low"] < 100 == own["high"]
        assert values.loc[(f"{head} top-1", "chance"), "value"] == pytest.approx(100 / 3)
        assert values.loc[(f"{head} top-1", "chance"), "lead"] == pytest.approx(200 / 3)
        assert values.loc[(f"{head} top-1", "noise"), "value"] < 90
    assert set(summary["measure"]) == {"knn top-1", "linear top-1"}  # of three classes the first five are all
    assert (metrics["clips"], metrics["training_clips"], metrics["clips_left_out"]) == (18, 17, 1)
    assert metrics["encoders_without_result"] == ["none"]
    good = confusion[(confusion["encoder"] == "good") & (confusion["head"] == "knn")]
    assert (good["true"] == good["answer"]).all() and good["clips"].tolist() == [6, 6, 6]
    assert len(per_class) == 4 * 3
    assert per_class.groupby("encoder")["accuracy"].mean()["good"] == 100


def test_a_head_is_trained_again_only_for_what_it_depends_on(features: Parts) -> None:
    clips = compared_clips(labelled(), features, ENCODERS)
    base = {item.id: item.digest for item in head_job(clips, features, ENCODERS, CONFIG, SERIAL).items}
    other = CONFIG.model_copy(update={"linear": LinearClipsConfig(penalties=(0.5,)), "workers_per_gpu": 1})
    changed = {item.id: item.digest for item in head_job(clips, features, ENCODERS, other, SERIAL).items}
    assert {name for name in base if base[name] != changed[name]} == {"good/linear", "noise/linear"}


def test_what_is_missing_or_damaged_is_named(features: Parts, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no train clip with features of none: .*broken"):
        compared_clips(labelled(), features, ["none"])
    (tmp_path / "a.npz").write_bytes(b"damaged")
    with pytest.raises(InputError, match="holds no answers"):
        read_probed(tmp_path / "a.npz")


@settings(max_examples=10)
@given(st.integers(5, 60), st.integers(0, 99))
def test_a_lead_is_that_of_resampled_clips(count: int, seed: int) -> None:
    """Against a bootstrap that draws the clips themselves."""
    rng = np.random.default_rng(seed)
    first, other = rng.random(count) < 0.7, rng.random(count) < 0.5
    found = paired_lead(first, other)
    difference = 100.0 * (first.astype(float) - other)
    wanted = confidence_interval(mean_over_members([difference[[k]] for k in range(count)]), count)
    assert found.value == pytest.approx(wanted.value)
    step = 100 / count
    assert abs(found.low - wanted.low) <= step + 1e-9 and abs(found.high - wanted.high) <= step + 1e-9
