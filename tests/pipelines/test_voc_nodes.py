import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from tests.models.voc.tiny import make_config, make_episodes
from tests.models.voc.tokenizers.tiny import TEACHER, make_store, musik_config, vae_config, vqkd_config
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.datasets.checkpoint import Checkpoint, CheckpointDataset
from vidrep_pipelines.datasets.token_episodes import TokenEpisodesDataset, TokenEpisodesFile
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.models.voc.checkpoint_io import to_original
from vidrep_pipelines.models.voc.config import (
    HeldOutLossConfig,
    VocModelConfig,
    VocObjectiveConfig,
    VocValidationConfig,
)
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.tokenizers.dino.checkpoint_io import to_original as vqkd_to_original
from vidrep_pipelines.models.voc.tokenizers.dino.config import VqkdObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.dino.model import VqkdTokenizer
from vidrep_pipelines.models.voc.tokenizers.inference import checkpoint_source
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer
from vidrep_pipelines.models.voc.tokenizers.vae.checkpoint_io import to_original as vae_to_original
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.pipelines.latent_extraction import voc_nodes as extraction_nodes
from vidrep_pipelines.pipelines.latent_extraction.voc_nodes import TokenExtractionConfig
from vidrep_pipelines.pipelines.pretrain import voc_nodes, voc_tokenizer_nodes
from vidrep_pipelines.pipelines.pretrain.voc_config import VocRunConfig, VocTokenizerRunConfig
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.task import load_task

TRAIN = TrainConfig(steps=1, batch_size=2)
LAUNCH = LaunchConfig(device="cpu", loader_workers=0)
HELD_OUT = HeldOutLossConfig()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return make_store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def folders(tmp_path: Path) -> FoldersConfig:
    return FoldersConfig(models=tmp_path / "models", reporting=tmp_path / "reporting")


@pytest.fixture
def tokens(tmp_path: Path) -> TokenEpisodesFile:
    dataset = TokenEpisodesDataset(filepath=tmp_path / "tokens.h5")
    dataset.save(make_episodes())
    return dataset.load()


def planned(
    tokens: TokenEpisodesFile,
    folders: FoldersConfig,
    model: VocModelConfig,
    validation: VocValidationConfig | None = None,
    **run: Any,
) -> Any:
    given = VocRunConfig.model_validate(run), model, VocObjectiveConfig(), TRAIN
    return voc_nodes.plan_voc(tokens, *given, validation or VocValidationConfig(), LAUNCH, folders)


def test_presets_reach_the_tokenizers(store: FrameStore, folders: FoldersConfig) -> None:
    run = VocTokenizerRunConfig(preset="published")
    rest = (TRAIN, HELD_OUT, LAUNCH, folders)
    vae = voc_tokenizer_nodes.plan_vae(store, run, vae_config(), VaeObjectiveConfig(), *rest)
    musik = voc_tokenizer_nodes.plan_musik(store, run, musik_config(), MusikObjectiveConfig(), *rest)
    objective = VqkdObjectiveConfig(teacher=TEACHER)
    dino = voc_tokenizer_nodes.plan_dino(store, run, vqkd_config(), objective, *rest)
    for spec, kind in ((vae, "vae"), (dino, "dino"), (musik, "musik")):
        assert spec["task_config"]["model"]["pixels"]["normalization"] == "published"
        assert Path(spec["run_directory"]).parent.name == f"voc_{kind}_tokenizer"
        assert spec["data_digest"] == store.content_digest
        assert spec["probe"]["config"]["task"]["split"] == "validation"
        assert spec["probe"]["config"]["kind"] == kind and spec["task_config"]["split"] == "train"
        found = load_task(TrainSpec.model_validate(spec)).checkpoint_config()
        assert json.dumps(found) == json.dumps({"kind": kind, "model": spec["task_config"]["model"]})


def finished(
    tmp_path: Path, store: FrameStore, folders: FoldersConfig
) -> tuple[dict[str, Any], pd.DataFrame, Checkpoint]:
    """A tokenizer ``dino`` that is used as it is published."""
    torch.manual_seed(0)
    path = tmp_path / "vqkd.pth"
    torch.save({"model": vqkd_to_original(VqkdTokenizer(vqkd_config()).state_dict())}, path)
    run = VocTokenizerRunConfig(published=path)
    spec = voc_tokenizer_nodes.plan_dino(
        store, run, vqkd_config(), VqkdObjectiveConfig(), TRAIN, HELD_OUT, LAUNCH, folders
    )
    source, log, metrics = voc_tokenizer_nodes.train_tokenizer(spec, TrackingConfig(enabled=False))
    assert metrics == {"status": "published", "step": 0}
    dataset = CheckpointDataset(filepath=tmp_path / "checkpoint")
    dataset.save(source)
    return spec, log, dataset.load()


def test_a_published_tokenizer_is_used_without_training(
    tmp_path: Path, store: FrameStore, folders: FoldersConfig
) -> None:
    _, log, checkpoint = finished(tmp_path, store, folders)
    tokenizer = checkpoint_source(checkpoint.config, checkpoint.weights).load()
    torch.manual_seed(0)
    assert torch.equal(tokenizer.codebook, VqkdTokenizer(vqkd_config()).codebook)
    assert voc_tokenizer_nodes.paint_tokenizer_curves(log).width > 100
    pictures = voc_tokenizer_nodes.paint_tokenizer(checkpoint, store)
    assert all(min(picture.size) > 100 for picture in pictures)
    exported = voc_tokenizer_nodes.export_tokenizer(checkpoint)
    assert exported.keys() == vqkd_to_original(VqkdTokenizer(vqkd_config()).state_dict()).keys()
    with pytest.raises(ConfigurationError, match="dino has no contrastive head"):
        voc_tokenizer_nodes.export_action_energy(checkpoint)


@pytest.mark.parametrize(
    ("run", "units", "resize"),
    [
        ({}, "published", "nearest"),
        ({"published_pixels": "of_model"}, "imagenet", "bilinear"),
        ({"preset": "published"}, "published", "nearest"),
    ],
)
def test_a_released_tokenizer_is_given_the_pixels_that_it_needs(
    tmp_path: Path, store: FrameStore, folders: FoldersConfig, run: dict[str, str], units: str, resize: str
) -> None:
    torch.save(vae_to_original(VaeTokenizer(vae_config()).state_dict()), tmp_path / "vae.pth")
    pixels = vae_config().pixels.model_copy(update={"normalization": "imagenet", "resize": "bilinear"})
    model = vae_config().model_copy(update={"pixels": pixels})
    config = VocTokenizerRunConfig.model_validate({"published": tmp_path / "vae.pth", **run})
    rest = (TRAIN, HELD_OUT, LAUNCH, folders)
    spec = voc_tokenizer_nodes.plan_vae(store, config, model, VaeObjectiveConfig(), *rest)
    used = spec["finished"]["model"]["pixels"]
    assert (used["normalization"], used["resize"], used["size"]) == (units, resize, pixels.size)


def test_vq_kd_is_given_the_pixels_that_it_was_trained_on(
    tmp_path: Path, store: FrameStore, folders: FoldersConfig
) -> None:
    spec, _, _ = finished(tmp_path, store, folders)
    assert spec["finished"]["model"]["pixels"]["normalization"] == "symmetric"


def test_musik_is_exported_in_two_files(tmp_path: Path) -> None:
    model = MusikTokenizer(musik_config())
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    config = {"kind": "musik", "model": musik_config().model_dump(mode="json")}
    checkpoint = Checkpoint(tmp_path, config, {})
    assert "quant_linear.1.bias" in voc_tokenizer_nodes.export_tokenizer(checkpoint)
    head = voc_tokenizer_nodes.export_action_energy(checkpoint)
    assert torch.equal(head["projector.layer2.bias"], model.action_energy.energy.bias)


def test_other_files_are_refused(tmp_path: Path, store: FrameStore, folders: FoldersConfig) -> None:
    rest = (TRAIN, HELD_OUT, LAUNCH, folders)
    run = VocTokenizerRunConfig(published=tmp_path / "absent.pt")
    with pytest.raises(InputError, match=r"absent\.pt"):
        voc_tokenizer_nodes.plan_vae(store, run, vae_config(), VaeObjectiveConfig(), *rest)
    torch.save({"model": vqkd_to_original(VqkdTokenizer(vqkd_config()).state_dict())}, tmp_path / "vqkd.pth")
    run = VocTokenizerRunConfig(published=tmp_path / "vqkd.pth")
    with pytest.raises(InputError, match="not those of a VQ-VAE"):
        voc_tokenizer_nodes.plan_vae(store, run, vae_config(), VaeObjectiveConfig(), *rest)
    with pytest.raises(InputError, match=r"holds no tokenizer\. Remedy: run pretrain_voc_tokenizer"):
        checkpoint_source({"layers": 3}, tmp_path / "model.safetensors")


def test_extraction_depends_on_tokenizer_and_frames(
    tmp_path: Path, store: FrameStore, folders: FoldersConfig
) -> None:
    _, _, checkpoint = finished(tmp_path, store, folders)
    jobs = [
        extraction_nodes.extract_voc_codes(
            checkpoint, store, TokenExtractionConfig(batch_size=size), LAUNCH, FanOutConfig()
        )
        for size in (1, 9)
    ]
    assert [item.id for item in jobs[0].items] == [name.removesuffix(".h5") for name in store.facts.shards]
    assert [item.digest for item in jobs[0].items] == [item.digest for item in jobs[1].items]


def test_an_occupancy_model_is_fitted_or_must_fit(tokens: TokenEpisodesFile, folders: FoldersConfig) -> None:
    model = VocModelConfig()
    spec = planned(tokens, folders, model, tokenizer="musik")
    assert spec["task_config"]["model"]["gpt"]["vocabulary"] == 11
    assert Path(spec["run_directory"]).parent.name == "voc_musik" and spec["data_digest"] == tokens.digest
    published = planned(tokens, folders, model, preset="published")
    preset = published["task_config"]
    assert preset["objective"]["target"]["top_k"] == 50 and preset["model"]["gpt"]["width"] == 512
    config = load_task(TrainSpec.model_validate(published)).checkpoint_config()
    assert json.dumps(config) == json.dumps(preset["model"])
    with pytest.raises(ConfigurationError, match=r"vocabulary is 1024, but the tokens have 11"):
        planned(tokens, folders, model, fit_to_tokens=False)
    long = VocModelConfig.model_validate({**make_config().model_dump(), "frame_stack": 11, "gpt": {}})
    with pytest.raises(ConfigurationError, match="frame_stack is 11, but the longest episode has 10 frames"):
        planned(tokens, folders, long)


def test_held_out_episodes_are_measured_while_training(
    tokens: TokenEpisodesFile, folders: FoldersConfig
) -> None:
    own = VocValidationConfig(every_steps=3, keep={"loss": "lowest"}, publish="loss")
    spec = TrainSpec.model_validate(planned(tokens, folders, make_config(), own))
    assert spec.probe is not None and (spec.probe.every_steps, spec.probe.publish) == (3, "loss")
    assert (spec.probe.config["task"]["split"], spec.task_config["split"]) == ("validation", "train")
    for other in (VocValidationConfig(every_steps=None), VocValidationConfig(split="nowhere")):
        assert planned(tokens, folders, make_config(), other)["probe"] is None


def test_weights_of_another_vocabulary_are_refused(
    tmp_path: Path, tokens: TokenEpisodesFile, folders: FoldersConfig
) -> None:
    from vidrep_pipelines.models.voc.task import VocTask

    save_file(to_original(VocModel(make_config()).gpt.state_dict()), tmp_path / "gpt.safetensors")
    fields = {"initialize_from": tmp_path / "gpt.safetensors"}
    fitting = VocTask.model_validate(planned(tokens, folders, make_config(), **fields)["task_config"])
    fitting.build_model()
    gpt = {**make_config().gpt.model_dump(), "vocabulary": 12}
    other = fitting.model_copy(
        update={"model": VocModelConfig.model_validate({**make_config().model_dump(), "gpt": gpt})}
    )
    with pytest.raises(
        ConfigurationError, match="The codebook has 11 vectors of 3 numbers, the model expects 12"
    ):
        other.build_model()
    with pytest.raises(ConfigurationError, match="vocabulary is 12, but the tokens have 11"):
        other.build_dataset()


def test_a_model_without_rewards_has_no_values(tokens: TokenEpisodesFile, folders: FoldersConfig) -> None:
    spec = planned(tokens, folders, make_config(reward=False))
    checkpoint = Checkpoint(Path("nowhere"), {}, {})
    assert voc_nodes.paint_values(checkpoint, spec).width > 100
