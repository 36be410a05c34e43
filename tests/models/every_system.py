"""Tasks of all systems in miniature."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.helpers.videos import write_video
from tests.models.carl.tiny import make_config as carl_config
from tests.models.rsp.tiny import CONFIG as RSP_CONFIG
from tests.models.voc.tiny import make_config as voc_config
from tests.models.voc.tiny import make_episodes
from tests.models.voc.tokenizers.tiny import make_store, vae_config
from tests.models.vpp.video.spoken import make_video_task
from tests.models.vqvae.tiny import make_config as vqvae_config
from vidrep_pipelines.data.clips.sampling import PairSampling
from vidrep_pipelines.data.clips.table import snapshot
from vidrep_pipelines.data.token_episodes.file import write_token_episodes
from vidrep_pipelines.models.carl.config import CarlDataConfig, CarlObjectiveConfig
from vidrep_pipelines.models.carl.task import CarlTask
from vidrep_pipelines.models.rsp.config import RspDataConfig, RspObjectiveConfig
from vidrep_pipelines.models.rsp.task import RspTask
from vidrep_pipelines.models.voc.config import TargetConfig, VocObjectiveConfig
from vidrep_pipelines.models.voc.task import VocTask
from vidrep_pipelines.models.voc.tokenizers.vae.task import VaeTask
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig, VqvaeObjectiveConfig
from vidrep_pipelines.models.vqvae.task import VqvaeTask

CLIPS, FRAMES = 8, 20
AVERAGED = {"update": "ema", "decay": 0.5, "restart_below": 0.1}


def make_clips(folder: Path) -> dict[str, Path]:
    names = [f"clip_{number}" for number in range(CLIPS)]
    for number, name in enumerate(names):
        write_video(folder / f"{name}.mp4", FRAMES, width=48, height=48, seed=number)
    table = pd.DataFrame({"id": names, "path": [f"{name}.mp4" for name in names], "frames": FRAMES})
    return {"clip_table": snapshot(table, folder), "videos": folder}


def make_rsp(folder: Path) -> RspTask:
    sampling = PairSampling(max_distance=8, min_distance=2)
    return RspTask(
        **make_clips(folder),
        data=RspDataConfig(sampling=sampling),
        model=RSP_CONFIG,
        objective=RspObjectiveConfig(),
        seed=5,
    )


def make_vqvae(folder: Path) -> VqvaeTask:
    return VqvaeTask(
        **make_clips(folder),
        data=VqvaeDataConfig(clip_frames=3, frame_step=2, windows_per_clip=1),
        model=vqvae_config(AVERAGED, decoder="residual_causal_3d"),
        objective=VqvaeObjectiveConfig(),
        seed=5,
    )


def make_carl(folder: Path) -> CarlTask:
    """Without padding, which takes a little part in the published contrast with all that is in a batch."""
    return CarlTask(
        **make_clips(folder),
        data=CarlDataConfig.model_validate({"sampling": {"frames": 6, "region": 1.0}}),
        model=carl_config(),
        objective=CarlObjectiveConfig(),
        backbone_origin="random",
        seed=5,
    )


def make_voc(folder: Path) -> VocTask:
    rewards = np.linspace(0, 1, 33, dtype=np.float32)  # losses of about 1, of which float32 tells 1e-5 apart
    write_token_episodes(folder / "tokens.h5", make_episodes((9, 7, 8, 5), rewards=rewards))
    target = TargetConfig(kind="n_step", steps=2)
    return VocTask(
        tokens=(folder / "tokens.h5",),
        model=voc_config(actions=True),
        objective=VocObjectiveConfig(target=target),
        seed=5,
    )


def make_tokenizer(folder: Path) -> VaeTask:
    return VaeTask(frame_store=make_store(folder).folder, model=vae_config(**AVERAGED), seed=5)


SYSTEMS: dict[str, Callable[[Path], Any]] = {
    "rsp": make_rsp,
    "vqvae": make_vqvae,
    "carl": make_carl,
    "voc": make_voc,
    "tokenizer": make_tokenizer,
    "vpp_video": make_video_task,
}
