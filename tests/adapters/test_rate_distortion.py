"""Tokenizers trained and measured one by one."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.helpers.project import merged
from tests.helpers.rate_distortion import TINY_RATES
from tests.helpers.stores import STORE, ArrayEpisode, assembly_job, prepare
from vidrep_pipelines.adapters.rate_distortion import learn_rate, rate_job
from vidrep_pipelines.adapters.rate_distortion_config import RateDistortionConfig
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.plan import plan_shards
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.evaluation.reconstruction.config import MeasuredClipsConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.training.config import LaunchConfig

KINDS = {"codes": {name: {"kind": name} for name in ("gradient", "ema", "fsq")}}
CLIPS = MeasuredClipsConfig(frames=4)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    folder = tmp_path_factory.mktemp("rates")
    episodes = [ArrayEpisode(f"t{number}", (9, 9)) for number in range(6)]
    frames = FramesConfig(height=16, width=16, min_frames=2)  # SSIM has a window of 11 pixels
    parts = prepare(folder / "episodes", episodes, frames)
    requests = plan_shards(parts.table, parts.folder, frames, STORE)
    shards = run_job(assembly_job(requests), folder / "store")
    write_store_manifest(folder / "store", shards.ids)
    return FrameStore(folder / "store")


def job(store: FrameStore, **changes: Any) -> Job:
    config = RateDistortionConfig.model_validate(merged(TINY_RATES, KINDS, changes))
    return rate_job(config, store, CLIPS, LaunchConfig(device="cpu"), FanOutConfig())


def test_a_change_redoes_the_tokenizers_that_it_concerns(store: FrameStore) -> None:
    before = {item.id: item.digest for item in job(store).items}
    assert len(before) == len(set(before.values())) == 3 * 3 * 2 and "fsq/fine/1" in before
    changed = job(store, codes={"ema": {"decay": 0.5}})
    assert {item.id for item in changed.items if before[item.id] != item.digest} == {
        name for name in before if name.startswith("ema/")
    }
    assert {item.id: item.digest for item in job(store, floors=["area"]).items} == before


@pytest.mark.parametrize("codes", ["gradient", "ema", "fsq"])
def test_a_tokenizer_is_trained_and_measured(codes: str, store: FrameStore, tmp_path: Path) -> None:
    (item,) = (item for item in job(store).items if item.id == f"{codes}/fine/0")
    before = torch.random.get_rng_state()
    tables = []
    for attempt in ("first", "again"):
        outputs = {suffix: tmp_path / f"{attempt}{suffix}" for suffix in (".parquet", ".png")}
        facts = learn_rate(item.payload, outputs)
        tables.append(pd.read_parquet(outputs[".parquet"]))
    pd.testing.assert_frame_equal(*tables)
    assert torch.equal(torch.random.get_rng_state(), before)
    values = tables[0]
    assert set(values["split"]) == {"validation", "test"}
    assert set(values["bits_per_pixel"]) == {1.0} == set(values["budget"])
    assert (values["entropy_bits_per_pixel"] > 0).all() and values["psnr"].between(1, 60).all()
    test = values[values["split"] == "test"]
    assert facts["test_psnr"] == pytest.approx(test["psnr"].mean())
    assert 1 <= facts["perplexity"] <= 16 and 0 < facts["codebook_use"] <= 1
    with Image.open(tmp_path / "first.png") as shown:
        assert shown.height == 16 and shown.width % 16 == 0 and np.asarray(shown).std() > 0
