import pytest
from pydantic import ValidationError

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.label_propagation.config import (
    DEFAULT_PRESETS,
    PRESETS,
    PropagationConfig,
    preset,
)

TABLE = [
    ("davis", "rsp", "dino", 7, 30, 30, 0.1, (480,)),
    ("davis", "dino", "dino", 5, 12, 7, 0.1, (480,)),
    ("davis", "cropmae", "videowalk", 7, 20, 20, 0.7, (480, 880)),
    ("davis", "dinov3", "dinov3", 5, 12, 7, 0.2, (960,)),
    ("davis", "rvm", "videowalk", 7, 20, 20, 0.7, (480, 880)),
    ("jhmdb", "rvm", "videowalk", 7, 20, 20, 0.7, (320, 320)),
    ("vip", "rvm", "videowalk", 10, 20, 20, 0.7, (448, 880)),
    ("davis", "videowalk", "videowalk", 10, 12, 20, 0.05, ()),
    ("jhmdb", "cropmae", "videowalk", 7, 20, 20, 0.7, (320, 320)),
    ("jhmdb", "rsp", "videowalk", 10, 5, 7, 0.05, (320, 320)),
    ("jhmdb", "videowalk", "videowalk", 10, 12, 20, 0.07, (320, 320)),
    ("vip", "cropmae", "videowalk", 10, 20, 20, 0.7, (880,)),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}")
def test_presets_hold_the_published_values(row):
    task, name, variant, top_k, radius, context, temperature, sides = row
    chosen = preset(task, name)
    assert chosen.propagation.variant == variant
    assert (chosen.propagation.top_k, chosen.propagation.radius) == (top_k, radius)
    assert (chosen.propagation.context_frames, chosen.propagation.temperature) == (context, temperature)
    assert chosen.frame_size.sides == sides


def test_every_task_has_a_default():
    assert all((task, name) in PRESETS for task, name in DEFAULT_PRESETS.items())
    assert set(DEFAULT_PRESETS) == {task for task, _ in PRESETS}


def test_a_source_that_says_nothing_about_a_task_is_named_with_those_that_do():
    with pytest.raises(ConfigurationError, match=r"'dino' for jhmdb.*videowalk"):
        preset("jhmdb", "dino")


@pytest.mark.parametrize(
    "wrong", [{"top_k": 0}, {"temperature": 0}, {"context_frames": 0}, {"variant": "other"}, {"topk": 3}]
)
def test_values_without_meaning_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        PropagationConfig(**wrong)
