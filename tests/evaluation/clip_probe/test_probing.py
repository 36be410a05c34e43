"""What chooses a setting, and what does not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.clip_probe.clips import made_up_clips
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.clip_probe.clip_features import ClipFeatures
from vidrep_pipelines.evaluation.clip_probe.config import (
    AttentiveClipsConfig,
    ClipProbeConfig,
    NearestClipsConfig,
    ProbeHead,
)
from vidrep_pipelines.evaluation.clip_probe.probing import (
    chance_predictions,
    probe_clips,
    true_ranks,
    tuning_split,
)

CPU = torch.device("cpu")
CONFIG = ClipProbeConfig(
    attentive=AttentiveClipsConfig(learning_rates=(1e-2,), epochs=20, batch_size=8, width=16, heads=2)
)
LABELS = np.repeat([0, 1, 2], 8)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.floats(0.05, 0.95), st.integers(0, 9))
def test_every_class_is_split(labels: list[int], share: float, seed: int) -> None:
    counts = {label: labels.count(label) for label in labels}
    if max(counts.values()) == 1:
        with pytest.raises(InputError, match="several clips of each class"):
            tuning_split(np.array(labels), share, seed)
        return
    kept, held_out = tuning_split(np.array(labels), share, seed)
    assert sorted([*kept.tolist(), *held_out.tolist()]) == list(range(len(labels)))
    for label, count in counts.items():
        apart = sum(labels[place] == label for place in held_out)
        assert apart == min(count - 1, max(1, round(share * count)))


@pytest.mark.parametrize("head", ["knn", "linear", "attentive"])
def test_classes_that_features_tell_apart_are_told_apart(head: ProbeHead, tmp_path: Path) -> None:
    train, validation = (made_up_clips(tmp_path, LABELS, seed=seed) for seed in (0, 1))
    probed = probe_clips(head, train, validation, 3, CONFIG, CPU)
    assert (probed.ranks == 0).mean() > 0.95
    np.testing.assert_array_equal(probed.ranks == 0, probed.predictions == LABELS)
    assert probed.setting in probed.tuning
    again = probe_clips(head, train, validation, 3, CONFIG, CPU)
    np.testing.assert_array_equal(again.predictions, probed.predictions)


def test_only_the_attentive_head_sees_what_is_in_single_tokens(tmp_path: Path) -> None:
    labels = np.repeat(LABELS, 2)
    train, validation = (made_up_clips(tmp_path, labels, seed=seed, attended=True) for seed in (0, 1))
    head = CONFIG.attentive.model_copy(update={"epochs": 60})
    config = CONFIG.model_copy(update={"attentive": head})
    attentive = probe_clips("attentive", train, validation, 3, config, CPU)
    linear = probe_clips("linear", train, validation, 3, CONFIG, CPU)
    assert (attentive.ranks == 0).mean() > 0.9 > (linear.ranks == 0).mean()


def test_validation_clips_choose_nothing(tmp_path: Path) -> None:
    """Whatever they are, the setting and its alternatives stay the same."""
    train = made_up_clips(tmp_path, LABELS, spread=2.0)
    config = CONFIG.model_copy(update={"knn": NearestClipsConfig(neighbors=(1, 3, 9))})
    judged = [
        made_up_clips(tmp_path, LABELS, seed=seed, spread=spread) for seed, spread in ((1, 0.1), (2, 5.0))
    ]
    first, second = (probe_clips("knn", train, clips, 3, config, CPU) for clips in judged)
    assert (first.setting, first.tuning) == (second.setting, second.tuning)
    assert first.tuning[first.setting] == max(first.tuning.values())


@given(st.integers(0, 500))
def test_ranks_count_the_classes_before_the_true_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (5, 4)).astype("f4")
    labels = rng.integers(-1, 4, 5)
    for row, label, rank in zip(scores.tolist(), labels.tolist(), true_ranks(scores, labels), strict=True):
        order = sorted(range(4), key=lambda place: (-row[place], place))
        assert rank == (4 if label < 0 else order.index(label))


def test_chance_is_the_most_frequent_class() -> None:
    assert chance_predictions(np.array([0, 2, 2, 1]), 3).tolist() == [2, 2, 2]


def test_features_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    clips = made_up_clips(tmp_path, LABELS)
    some = clips.part(np.array([3, 9]))
    assert some.labels.tolist() == [0, 1]
    assert some.tokens(np.array([1])).shape == (1, 8, 8)
    np.testing.assert_allclose(some.tokens(np.array([0, 1])).mean(dim=1), some.means, atol=1e-3)
    some.files[0].write_bytes(b"damaged")
    with pytest.raises(InputError, match="holds no features"):
        some.tokens(np.array([0]))
    assert len(ClipFeatures.read(some.files[1:], ["x"], {}).labels) == 1
