"""The identities of runs: were one to change, everything that users trained would be trained again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.models.carl.tiny import make_config as carl_config
from tests.models.rsp.tiny import CONFIG as RSP_CONFIG
from tests.models.voc.tiny import make_config as voc_config
from tests.models.voc.tokenizers.tiny import musik_config, vae_config, vqkd_config
from tests.models.vpp.policy.tiny import CONFIG as VPP_POLICY_CONFIG
from tests.models.vpp.video.tiny import CONFIG as VPP_VIDEO_CONFIG
from tests.models.vqvae.tiny import make_config as vqvae_config
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.models.carl.config import CarlDataConfig, CarlObjectiveConfig
from vidrep_pipelines.models.carl.task import CarlTask
from vidrep_pipelines.models.rsp.config import RspDataConfig, RspObjectiveConfig
from vidrep_pipelines.models.rsp.task import RspTask
from vidrep_pipelines.models.voc.config import VocModelConfig, VocObjectiveConfig
from vidrep_pipelines.models.voc.joint.config import JointConfig, JointObjectiveConfig
from vidrep_pipelines.models.voc.joint.task import JointTask
from vidrep_pipelines.models.voc.presets import fitted_to_tokenizer
from vidrep_pipelines.models.voc.task import VocTask
from vidrep_pipelines.models.voc.tokenizers.dino.config import TeacherConfig, VqkdObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.dino.task import VqkdTask
from vidrep_pipelines.models.voc.tokenizers.musik.task import MusikTask
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.vae.task import VaeTask
from vidrep_pipelines.models.vpp.policy.config import GoalConfig
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.seen import SeenFeatures
from vidrep_pipelines.models.vpp.policy.statistics import PolicyStatistics
from vidrep_pipelines.models.vpp.policy.task import PolicyTask
from vidrep_pipelines.models.vpp.video.task import VideoTask
from vidrep_pipelines.models.vqvae.config import LossFiles, VqvaeDataConfig, VqvaeObjectiveConfig
from vidrep_pipelines.models.vqvae.task import VqvaeTask
from vidrep_pipelines.training.config import TrainConfig, TrainSpec
from vidrep_pipelines.training.run_record import RunRecord

TRAIN = TrainConfig(steps=7, batch_size=3, seed=11)


def make_files(folder: Path, *names: str) -> dict[str, Path]:
    """Files that could hold weights."""
    paths = {name: folder / f"{name}.pth" for name in names}
    for name, path in paths.items():
        path.write_bytes(b"\x80\x02" + name.encode())
    return paths


def make_rsp(folder: Path, **files: Path) -> RspTask:
    config = {"data": RspDataConfig(), "model": RSP_CONFIG, "objective": RspObjectiveConfig()}
    return RspTask(clip_table=folder / "clips.arrow", videos=folder, seed=5, **config, **files)


def make_vqvae(folder: Path, initialize_from: Path | None = None, **files: Path) -> VqvaeTask:
    objective = {"perceptual_weight": 0.1, "perceptual_network": "lpips" if files else "random"}
    return VqvaeTask(
        frame_store=folder,
        data=VqvaeDataConfig(),
        model=vqvae_config(),
        objective=VqvaeObjectiveConfig.model_validate(objective),
        files=LossFiles(**files),
        initialize_from=initialize_from,
        seed=5,
    )


def make_carl(folder: Path, **files: Path) -> CarlTask:
    return CarlTask(
        frame_store=folder,
        splits=("train", "additional"),
        data=CarlDataConfig.model_validate({"sampling": {"frames": 6}}),
        model=carl_config(),
        objective=CarlObjectiveConfig(),
        seed=5,
        **files,
    )


def make_voc(folder: Path, **files: Path) -> VocTask:
    config = {"model": voc_config(actions=True), "objective": VocObjectiveConfig()}
    return VocTask(tokens=(folder / "tokens.h5",), seed=5, **config, **files)


def make_vae(folder: Path, initialize_from: Path | None = None, **files: Path) -> VaeTask:
    objective = VaeObjectiveConfig(**files)
    model = vae_config()
    return VaeTask(
        frame_store=folder, model=model, objective=objective, initialize_from=initialize_from, seed=5
    )


def make_vqkd(folder: Path, initialize_from: Path | None = None, teacher: Path | None = None) -> VqkdTask:
    objective = VqkdObjectiveConfig(teacher=TeacherConfig(kind="file", weights=teacher))
    model = vqkd_config()
    return VqkdTask(
        frame_store=folder, model=model, objective=objective, initialize_from=initialize_from, seed=5
    )


def make_musik(folder: Path, **files: Path) -> MusikTask:
    return MusikTask(frame_store=folder, model=musik_config(), seed=5, **files)


def make_joint(folder: Path, initialize_from: Path | None = None, **files: Path) -> JointTask:
    tokenizer = vae_config()
    return JointTask(
        frame_store=folder,
        model=JointConfig(tokenizer=tokenizer, occupancy=fitted_to_tokenizer(tokenizer, VocModelConfig())),
        objective=JointObjectiveConfig(tokenizer=VaeObjectiveConfig(**files)),
        initialize_from=initialize_from,
        seed=5,
    )


def make_vpp_video(folder: Path, initialize_from: Path | None = None) -> VideoTask:
    (folder / "codec").mkdir(exist_ok=True)
    (folder / "codec/model.safetensors").write_bytes(b"a codec")
    start = None if initialize_from is None else folder / "svd"
    if start is not None and initialize_from is not None:
        (start / "unet").mkdir(parents=True)
        (start / "unet/config.json").write_text("{}")
        copy = start / "unet/diffusion_pytorch_model.safetensors"
        copy.write_bytes(initialize_from.read_bytes())
    return VideoTask(
        frames=folder, codec=folder / "codec", model=VPP_VIDEO_CONFIG, initialize_from=start, seed=5
    )


def make_vpp_policy(folder: Path, initialize_from: Path | None = None) -> PolicyTask:
    statistics = PolicyStatistics(
        state_01=(0.0,) * 6, state_99=(1.0,) * 6, action_01=(-1.0,) * 3, action_99=(1.0,) * 3, items=9
    )
    return PolicyTask(
        frames=folder,
        pictures_resized=FramesConfig(),
        seen=SeenFeatures(digest="of the features", shape=(2, 12, 1, 7), content="theirs", stored=folder),
        items=PolicyItemsConfig(),
        statistics=statistics,
        goal=GoalConfig(kind="words", vocabulary=("lift", "push")),
        model=VPP_POLICY_CONFIG,
        initialize_from=initialize_from,
        seed=5,
    )


LOSS_FILES = ("perceptual_trunk", "perceptual_heads")
RECORDED: dict[Callable[..., Any], tuple[tuple[str, ...], str, str]] = {
    make_carl: (("labels", "backbone_weights", "initialize_from"), "ccc8fc822ff02671", "3507d949ba5b9511"),
    make_joint: (("initialize_from", *LOSS_FILES), "9a281a1265f0fa59", "37cfc393bde7854e"),
    make_musik: (("initialize_from",), "5689331251733830", "fad76013c64bedbe"),
    make_rsp: (("initialize_from",), "cb9b2c9061d945e2", "c9357418ffb8a963"),
    make_vae: (("initialize_from", *LOSS_FILES), "4b56e86d5c9d0f51", "ecb4053e492ebe2b"),
    make_voc: (("initialize_from", "initialize_reward_from"), "1ad882fa79edc254", "52769d9b95bfa48f"),
    make_vqkd: (("initialize_from", "teacher"), "66bb3af2cd80a5e3", "8f97aae77c4cb3c9"),
    make_vpp_policy: (("initialize_from",), "22c541372a3545e0", "0769f54c63b7a262"),
    make_vpp_video: (("initialize_from",), "3aee86864af2e962", "c1dbe5fdd639ce9f"),
    make_vqvae: (("initialize_from", *LOSS_FILES), "80da314db962557f", "bb655260bbcc764b"),
}
"""The files that a system's runs may start from, and the digests of a run without and with them."""


def digest_of_run(task: Any, folder: Path, train: TrainConfig = TRAIN) -> str:
    places = {"run_directory": folder / "run", "report_directory": folder / "reports"}
    spec = TrainSpec.of(task, train=train, data_digest="the data's", **places)
    return RunRecord.of(spec, task).digest


@pytest.mark.parametrize("make", RECORDED)
def test_digests_of_runs_stay(make: Callable[..., Any], tmp_path: Path) -> None:
    files, without, with_files = RECORDED[make]
    assert digest_of_run(make(tmp_path), tmp_path) == without
    assert digest_of_run(make(tmp_path, **make_files(tmp_path, *files)), tmp_path) == with_files


def test_keeping_more_checkpoints_trains_nothing_again(tmp_path: Path) -> None:
    task, kept = make_vpp_video(tmp_path), {"checkpoint_every_steps": 1, "keep_every": 1}
    assert digest_of_run(task, tmp_path, TRAIN.model_copy(update=kept)) == RECORDED[make_vpp_video][1]
