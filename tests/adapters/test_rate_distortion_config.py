from typing import Any

import pytest
from pydantic import ValidationError

from tests.helpers.project import merged
from tests.helpers.rate_distortion import TINY_RATES
from vidrep_pipelines.adapters.rate_distortion_config import RateDistortionConfig

KINDS = {"codes": {name: {"kind": name} for name in ("gradient", "ema", "fsq")}}


def config(**changes: Any) -> RateDistortionConfig:
    return RateDistortionConfig.model_validate(merged(TINY_RATES, KINDS, changes))


def test_all_kinds_have_as_many_codes_at_a_rate() -> None:
    rates = config()
    for rate, (size, grid) in {"coarse": (16, 4), "medium": (9, 8), "fine": (16, 8)}.items():
        models = [rates.model_of(name, rate) for name in rates.codes]
        assert {model.codebook.size for model in models} == {size}
        assert {model.grid for model in models} == {grid}
    assert rates.bits_per_pixel("coarse") == pytest.approx(4 / 16)
    assert rates.bits_per_pixel("fine") == pytest.approx(4 / 4)
    assert rates.model_of("ema", "fine").codebook.update == "ema"
    assert rates.model_of("fsq", "fine").codebook.levels == (4, 4)


def test_a_kind_may_have_its_own_learning_rate_and_every_seed_differs() -> None:
    rates = config(codes={"fsq": {"learning_rate": 0.5}})
    assert rates.train_of("fsq", 0).optimizer.learning_rate == 0.5
    assert rates.train_of("ema", 0).optimizer == rates.train.optimizer
    assert rates.train_of("ema", 2).seed == rates.train.seed + 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codes": {"jpeg": {}}}, "share the name 'jpeg'"),
        ({"codes": {"a/b": {}}}, "slash"),
        ({"rates": {"fine": {"width_multipliers": [1, 1, 1, 1, 1, 1]}}}, "no multiple of 32"),
        ({"rates": {"fine": {"levels": [1, 4]}}}, "greater than or equal to 2"),
        ({"train": {"steps": None, "epochs": 1}}, "set train.steps"),
        ({"model": {"decoder": "3d"}}, "decoder: 2d"),
        ({"objective": {"perceptual_weight": 1.0}}, "needs files"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        config(**changes)
