"""What an encoder costs: on whole windows and cells, one after the other, not again without need."""

import pandas as pd
import pytest

from vidrep_pipelines.adapters.encoder_cost import CostItem, cost_table, encoder_cost_job, measure_cost
from vidrep_pipelines.adapters.encoders import EncoderSource, encoder_sources
from vidrep_pipelines.evaluation.encoder_comparison.config import EncoderCostConfig
from vidrep_pipelines.evaluation.encoders.config import (
    EncodersConfig,
    PixelEncoderConfig,
    RandomEncoderConfig,
)
from vidrep_pipelines.fanout.config import FanOutConfig

CONFIG = EncoderCostConfig(image_size=20, frames=3, repeats=3)
KNOWN = EncodersConfig(
    known={
        "random": RandomEncoderConfig(image_size=32, patch_size=8, dimension=16, depth=1, heads=2),
        "pixels": PixelEncoderConfig(patch_size=8),
    }
)


@pytest.fixture(scope="module")
def sources() -> list[EncoderSource]:
    return encoder_sources(KNOWN, [])


def test_time_and_size(sources: list[EncoderSource]) -> None:
    random, pixels = (measure_cost(CostItem(source, CONFIG, "cpu"), {}) for source in sources)
    assert (random["side"], random["frames"], random["stride"], random["dimension"]) == (24, 3, 8, 16)
    assert 0 < random["milliseconds_low"] <= random["milliseconds"] <= random["milliseconds_high"]
    linear = 16 * 16 * 4 + 2 * 16 * 64  # attention and MLP of the one block; biases and norms come on top
    assert random["parameters"] > linear and pixels["parameters"] == 0


def test_one_at_a_time_and_not_again(sources: list[EncoderSource]) -> None:
    job = encoder_cost_job(sources, CONFIG, "cpu", FanOutConfig(workers=8))
    assert job.config.workers == 1 and [item.id for item in job.items] == ["random", "pixels"]
    same = encoder_cost_job(sources, CONFIG, "auto", FanOutConfig())
    longer = encoder_cost_job(sources, CONFIG.model_copy(update={"frames": 4}), "cpu", FanOutConfig())
    digests = [[item.digest for item in one.items] for one in (job, same, longer)]
    assert digests[0] == digests[1] and not set(digests[0]) & set(digests[2])


def test_what_could_not_be_timed_has_no_cost() -> None:
    class Costs:
        table = pd.DataFrame({"id": ["rsp", "dino"], "status": ["ok", "failed"], "milliseconds": [2.0, None]})

    table = cost_table(Costs())  # type: ignore[arg-type]
    assert table["encoder"].tolist() == ["rsp"]
