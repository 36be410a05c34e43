"""Encoders by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.evaluation.encoders.test_recurrent import make_arrays
from tests.evaluation.encoders.video_oracle import make_weights
from tests.models.voc.tokenizers.tiny import SIZE, musik_config, vae_config, vqkd_config
from vidrep_pipelines.adapters.encoders import (
    EncoderSource,
    compared_sources,
    dealt_to_gpus,
    encoder_on,
    encoder_sources,
    image_encoder_on,
    load_encoder,
)
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.datasets.checkpoint import Checkpoint, CheckpointDataset, CheckpointSource
from vidrep_pipelines.evaluation.encoders.config import (
    CheckpointEncoderConfig,
    EncoderConfig,
    EncodersConfig,
    FolderEncoderConfig,
    OriginalEncoderConfig,
    PixelEncoderConfig,
    RandomEncoderConfig,
    RvmEncoderConfig,
    TimmEncoderConfig,
    VideoMaeEncoderConfig,
    VjepaEncoderConfig,
)
from vidrep_pipelines.evaluation.encoders.protocol import as_video_encoder
from vidrep_pipelines.evaluation.label_propagation.config import FrameSize
from vidrep_pipelines.evaluation.label_propagation.sequence_run import SequenceRunner
from vidrep_pipelines.evaluation.label_propagation.settings import LabelPropagationConfig
from vidrep_pipelines.models.carl.config import CarlDataConfig, CarlModelConfig
from vidrep_pipelines.models.carl.model import CarlModel
from vidrep_pipelines.models.rsp.config import RspModelConfig
from vidrep_pipelines.models.rsp.model import RspModel
from vidrep_pipelines.models.voc.tokenizers.dino.model import VqkdTokenizer
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig, VqvaeModelConfig
from vidrep_pipelines.models.vqvae.model import VqvaeModel

MODEL = RspModelConfig(
    image_size=32,
    patch_size=8,
    embedding_dimension=16,
    depth=1,
    heads=2,
    decoder_dimension=16,
    decoder_depth=1,
    decoder_heads=2,
    latent_variables=4,
    latent_classes=4,
)
CARL = CarlModelConfig(stage_widths=(4, 8, 16, 32), stage_blocks=(1, 1, 1, 1))
CARL_CONTENT = {"model": CARL.model_dump(mode="json"), "data": CarlDataConfig().model_dump(mode="json")}
VQVAE = VqvaeModelConfig(
    image_size=16, width=8, width_multipliers=(1, 2), groups=4, residual_blocks=1, attention_resolutions=()
)
RSP = CheckpointEncoderConfig(dataset="rsp_checkpoint")


def encoders(**known: EncoderConfig) -> EncodersConfig:
    return EncodersConfig(known=known, use=tuple(known))


def published(folder: Path, seed: int = 0, system: str = "rsp") -> Checkpoint:
    torch.manual_seed(seed)
    return published_model(folder, RspModel(MODEL), MODEL.model_dump(), system)


def published_model(folder: Path, model: nn.Module, config: dict[str, Any], system: str) -> Checkpoint:
    folder.mkdir(exist_ok=True)
    save_file(model.state_dict(), folder / "model.safetensors")
    dataset = CheckpointDataset(filepath=folder / "checkpoint")
    dataset.save(CheckpointSource(folder, config=config, meta={"system": system}))
    return dataset.load()


def test_trained_encoder_is_the_one_of_the_model(tmp_path: Path) -> None:
    checkpoint = published(tmp_path)
    (source,) = encoder_sources(encoders(mine=RSP), [checkpoint])
    encoder = load_encoder(EncoderSource.model_validate_json(source.model_dump_json()))
    assert (encoder.name, encoder.stride) == ("mine", 8)
    images = torch.rand(2, 3, 32, 32)
    model = RspModel(MODEL).eval()
    model.load_state_dict(checkpoint.state_dict())
    with torch.no_grad():
        tokens = model.encoder(images)[:, 1:]
    found = encoder.patch_features(images).flatten(2).transpose(1, 2)
    torch.testing.assert_close(found, tokens)


def test_backbone_of_carl(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = CarlModel(CARL).eval()
    checkpoint = published_model(tmp_path, model, CARL_CONTENT, "carl")
    known = {
        "third": CheckpointEncoderConfig(dataset="carl_checkpoint", stage=3),
        "pooled": CheckpointEncoderConfig(dataset="carl_checkpoint", stage=3, cell=32),
        "last": CheckpointEncoderConfig(dataset="carl_checkpoint"),
    }
    third, pooled, last = map(load_encoder, encoder_sources(encoders(**known), [checkpoint]))
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        maps = model.backbone(images)
    torch.testing.assert_close(last.patch_features(images), maps)
    found = third.patch_features(images)
    assert (third.stride, pooled.stride, last.stride) == (16, 32, 32)
    assert found.shape == (2, 64, 4, 6)
    averages = found.unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(-2, -1))
    torch.testing.assert_close(pooled.patch_features(images), averages)
    assert len({source.digest for source in encoder_sources(encoders(**known), [checkpoint])}) == 3


def test_latents_of_vqvae(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = VqvaeModel(VQVAE).eval()
    units = VqvaeDataConfig(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    content = {"model": VQVAE.model_dump(mode="json"), "data": units.model_dump(mode="json")}
    checkpoint = published_model(tmp_path, model, content, "vqvae")
    known = {"fine": CheckpointEncoderConfig(dataset="vqvae_checkpoint")}
    (encoder,) = map(load_encoder, encoder_sources(encoders(**known), [checkpoint]))
    images = torch.rand(2, 3, 32, 48)  # of another size than the training's
    with torch.no_grad():
        expected = model.latents(images)
    assert (encoder.stride, encoder.mean, encoder.std) == (VQVAE.downsampling, units.mean, units.std)
    torch.testing.assert_close(encoder.patch_features(images), expected)


@pytest.mark.parametrize("kind", ["vae", "musik", "dino"])
def test_tokenizers_of_voc_in_a_folder(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(0)
    sizes = {"vae": vae_config, "musik": musik_config, "dino": vqkd_config}[kind]()
    model = {"vae": VaeTokenizer, "musik": MusikTokenizer, "dino": VqkdTokenizer}[kind](sizes).eval()
    content = {"kind": kind, "model": sizes.model_dump(mode="json")}
    checkpoint = published_model(tmp_path, model, content, f"voc_{kind}")
    known = {"tokens": FolderEncoderConfig(path=checkpoint.directory)}
    (source,) = encoder_sources(encoders(**known), [])
    encoder = load_encoder(EncoderSource.model_validate_json(source.model_dump_json()))
    images = torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        latents = model.latents(images)
    expected = latents.movedim(-1, 1) if kind == "dino" else latents
    torch.testing.assert_close(encoder.patch_features(images), expected)
    assert (encoder.stride, encoder.mean) == (SIZE // model.grid, sizes.pixels.mean)
    wide = torch.rand(1, 3, SIZE, 2 * SIZE)
    if kind == "dino":
        with pytest.raises(InputError, match="The tokenizer takes pictures"):
            encoder.patch_features(wide)
    else:
        assert encoder.patch_features(wide).shape[2:] == (model.grid, 2 * model.grid)


def test_a_checkpoint_in_a_folder_is_the_one_of_the_catalog(tmp_path: Path) -> None:
    checkpoint = published(tmp_path)
    known = {"catalog": RSP, "folder": FolderEncoderConfig(path=checkpoint.directory)}
    catalog, folder = encoder_sources(encoders(**known), [checkpoint])
    assert (catalog.digest, catalog.system) == (folder.digest, folder.system)
    with pytest.raises(InputError, match=r"model\.safetensors is missing"):
        encoder_sources(encoders(folder=FolderEncoderConfig(path=tmp_path / "nothing")), [])


def test_encoders_of_videos_by_their_kinds(tmp_path: Path) -> None:
    torch.save(make_weights(), tmp_path / "jepa.pt")
    torch.save({f"encoder.{name}": value for name, value in make_weights().items()}, tmp_path / "mae.pth")
    np.savez(tmp_path / "rvm.npz", **make_arrays())
    known = {
        "jepa": VjepaEncoderConfig(path=tmp_path / "jepa.pt", window=4),
        "mae": VideoMaeEncoderConfig(path=tmp_path / "mae.pth"),
        "rvm": RvmEncoderConfig(path=tmp_path / "rvm.npz"),
    }
    sources = encoder_sources(encoders(**known), [])
    loaded = [encoder_on(source, torch.device("cpu")) for source in sources]
    assert [(encoder.name, as_video_encoder(encoder).window) for encoder in loaded] == [
        ("jepa", 4),
        ("mae", 16),
        ("rvm", 1),
    ]
    for source in sources:
        with pytest.raises(ConfigurationError, match=f"encoders: {source.name} looks at several frames"):
            image_encoder_on(source, torch.device("cpu"))
    (tmp_path / "config.json").write_text('{"num_attention_heads": 2, "num_frames": 4}')
    changed = encoder_sources(encoders(**known), [])
    same = [before.digest == after.digest for before, after in zip(sources, changed, strict=True)]
    assert same == [False, False, True]
    size = FrameSize(rule="exact", sides=(12, 20))
    settings = LabelPropagationConfig(task="davis", preset="rvm", frame_size=size).resolve()
    frames = list(np.random.default_rng(0).integers(0, 256, (5, 24, 40, 3), dtype=np.uint8))
    first = np.zeros((24, 40), np.uint8)
    first[8:16, 8:24] = 1
    for source in changed:
        runner = SequenceRunner(load_encoder(source), settings, torch.device("cpu"))
        maps = list(runner.label_maps(frames, first))
        assert len(maps) == len(frames)
        assert {int(label) for label in np.unique(maps[-1])} <= {0, 1}


def test_single_pictures_are_shown_to_image_encoders(tmp_path: Path) -> None:
    (source,) = encoder_sources(encoders(pixels=PixelEncoderConfig()), [])
    assert image_encoder_on(source, torch.device("cpu")).stride == 16


def test_cell_that_is_no_multiple_is_refused(tmp_path: Path) -> None:
    checkpoint = published_model(tmp_path, CarlModel(CARL), CARL_CONTENT, "carl")
    for cell in (8, 24):
        config = CheckpointEncoderConfig(dataset="carl_checkpoint", stage=3, cell=cell)
        (source,) = encoder_sources(encoders(mine=config), [checkpoint])
        with pytest.raises(ConfigurationError, match=r"known\.mine\.cell: .*16"):
            load_encoder(source)


def test_all_known_encoders_but_for_checkpoints_of_others(tmp_path: Path) -> None:
    known = {
        "vqvae": CheckpointEncoderConfig(dataset="vqvae_checkpoint"),
        "rsp": RSP,
        "pixels": PixelEncoderConfig(),
    }
    sources = encoder_sources(EncodersConfig(known=known), [published(tmp_path)])
    assert [source.name for source in sources] == ["rsp", "pixels"]
    assert [source.name for source in encoder_sources(EncodersConfig(known=known), [])] == ["pixels"]


def test_digest_follows_the_weights(tmp_path: Path) -> None:
    digests = [
        encoder_sources(encoders(rsp=RSP), [published(tmp_path / name, seed)])[0].digest
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_a_seed_counts_where_weights_are_random(tmp_path: Path) -> None:
    (tmp_path / "vit.pth").write_bytes(b"1")
    for weights, counts in ((None, True), (tmp_path / "vit.pth", False)):
        digests = [
            encoder_sources(encoders(vit=TimmEncoderConfig(model="test_vit", weights=weights, seed=seed)), [])
            for seed in (0, 1)
        ]
        assert (digests[0][0].digest != digests[1][0].digest) == counts


def test_the_reference_has_to_be_there() -> None:
    known = encoders(rsp=RSP, pixels=PixelEncoderConfig())
    config = EncodersConfig(known=known.known)
    with pytest.raises(ConfigurationError, match=r"reference is rsp.*name one of pixels"):
        compared_sources(config, "rsp", [])
    assert [source.name for source in compared_sources(config, "pixels", [])] == ["pixels"]


def test_videos_are_dealt_to_gpus_by_their_length() -> None:
    sources = encoder_sources(encoders(pixels=PixelEncoderConfig()), [])
    rows = {"a": {"frames": 2}, "b": {"frames": 9}, "c": {"frames": 6}}
    assert [(name, gpu) for _, name, gpu in dealt_to_gpus(sources, rows, 1)] == [("a", 0), ("b", 0), ("c", 0)]
    assert [(name, gpu) for _, name, gpu in dealt_to_gpus(sources, rows, 2)] == [("b", 0), ("c", 1), ("a", 1)]


def test_digest_follows_what_is_in_a_file_and_not_where_it_is(tmp_path: Path) -> None:
    digests = []
    for name, content in (("a.pth", b"1"), ("b.pth", b"1"), ("c.pth", b"2")):
        (tmp_path / name).write_bytes(content)
        config = OriginalEncoderConfig(path=tmp_path / name)
        digests.append(encoder_sources(encoders(dino=config), [])[0].digest)
    assert digests[0] == digests[1] != digests[2]


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dino\.pth"):
        encoder_sources(encoders(dino=OriginalEncoderConfig(path=tmp_path / "dino.pth")), [])


def test_a_pointer_beside_a_sound_encoder_stops_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "dino.pth").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    known = {"pixels": PixelEncoderConfig(), "dino": OriginalEncoderConfig(path=tmp_path / "dino.pth")}
    with pytest.raises(InputError, match=r"encoders: .*dino\.pth holds no weights: it is a Git-LFS pointer"):
        encoder_sources(encoders(**known), [])


def test_only_encoders_that_are_used_are_looked_at() -> None:
    known = {"pixels": PixelEncoderConfig(), "rsp": RSP, "random": RandomEncoderConfig(seed=4)}
    sources = encoder_sources(EncodersConfig(known=known, use=("random", "pixels")), [])
    assert [source.name for source in sources] == ["random", "pixels"]
    assert load_encoder(sources[1]).stride == 16


def test_what_cannot_be_evaluated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"rsp_checkpoint.*no checkpoint"):
        encoder_sources(encoders(rsp=RSP), [])
    with pytest.raises(ConfigurationError, match="slash"):
        encoder_sources(EncodersConfig(known={"a/b": PixelEncoderConfig()}, use=("a/b",)), [])
    other = published(tmp_path, system="other")
    (source,) = encoder_sources(encoders(x=CheckpointEncoderConfig(dataset="other_checkpoint")), [other])
    with pytest.raises(ConfigurationError, match="no image encoder for checkpoints of other"):
        load_encoder(source)
