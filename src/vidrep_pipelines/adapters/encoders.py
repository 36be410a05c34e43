"""Every encoder that is evaluated: where its weights are, and how it is made ready to use."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.digest import digest_of, digest_of_file
from vidrep_pipelines.common.errors import ConfigurationError
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
    TrainedEncoderConfig,
    VideoMaeEncoderConfig,
    VideoModelEncoderConfig,
    VjepaEncoderConfig,
)
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch

    from vidrep_pipelines.evaluation.encoders.protocol import Encoder, ImageEncoder

_ENCODERS_KEPT = 2
_NO_SCIENCE = {"path", "weights", "codec"}
"""Where files lie; what is in them counts."""


class EncoderSource(FrozenConfig):
    """An encoder that can be loaded in any process."""

    name: str
    """How reports call it, and the folder of its results."""

    config: EncoderConfig
    """Its kind and parameters."""

    checkpoint: Path | None = None
    """Folder of the checkpoint, for the kinds that this project trained."""

    system: str | None = None
    """System that trained the checkpoint."""

    digest: str
    """Changes with the weights and with all that determines the features."""


def encoder_sources(encoders: EncodersConfig, checkpoints: Sequence[Checkpoint]) -> list[EncoderSource]:
    """The encoders that are used, in their order.

    Args:
        encoders: The encoders' configurations.
        checkpoints: Those that this pipeline has; each knows its system, under which the catalog keeps it.

    Raises:
        ConfigurationError: A name cannot be that of a folder, or a checkpoint is not among these.
        InputError: A file of weights cannot be read.
    """
    known = {f"{checkpoint.meta['system']}_checkpoint": checkpoint for checkpoint in checkpoints}
    return [_source(name, config, known) for name, config in encoders.selected(known).items()]


def compared_sources(
    encoders: EncodersConfig, reference: str, checkpoints: Sequence[Checkpoint]
) -> list[EncoderSource]:
    """The encoders that are compared with a reference, which is the first of them.

    Args:
        encoders: The encoders' configurations.
        reference: Name of the reference.
        checkpoints: As for :func:`encoder_sources`.

    Raises:
        ConfigurationError: The reference is a checkpoint that this pipeline does not have, or what
            :func:`encoder_sources` raises.
        InputError: A file of weights cannot be read.
    """
    sources = encoder_sources(encoders, checkpoints)
    if not sources or sources[0].name != reference:
        raise ConfigurationError(
            f"compare_encoders.reference is {reference}, a checkpoint that this pipeline does not have. "
            f"Remedy: name one of {', '.join(source.name for source in sources)}, or run compare_encoders, "
            "which trains it."
        )
    return sources


def encoder_sources_of(described: Sequence[Mapping[str, Any]]) -> list[EncoderSource]:
    """Sources of plain data, as the catalog keeps them."""
    return [EncoderSource.model_validate(source) for source in described]


def dealt_to_gpus(
    sources: Sequence[EncoderSource], rows: Mapping[str, Mapping[str, Any]], gpus: int
) -> Iterator[tuple[EncoderSource, str, int]]:
    """Every encoder with every video, and the number of the GPU that takes them.

    Several GPUs get about as many frames each: an encoder's longest videos come first, and each goes to the
    GPU that has least to do.

    Args:
        sources: The encoders.
        rows: The videos by id, with their ``frames``.
        gpus: How many there are; without several, videos stay in their order.
    """
    from vidrep_pipelines.fanout.devices import dealt_by_size

    if gpus < 2:
        yield from ((source, name, 0) for source in sources for name in rows)
        return
    frames = {name: int(row["frames"]) for name, row in rows.items()}
    pairs = [(source, name) for source in sources for name in sorted(rows, key=lambda name: -frames[name])]
    numbers = dealt_by_size((frames[name] for _, name in pairs), gpus)
    yield from ((source, name, number) for (source, name), number in zip(pairs, numbers, strict=True))


def _source(name: str, config: EncoderConfig, known: dict[str, Checkpoint]) -> EncoderSource:
    if "/" in name:
        raise ConfigurationError(
            f"encoders.known: {name!r} becomes the name of a folder; leave out the slash."
        )
    if isinstance(config, FolderEncoderConfig):
        return _trained_source(name, config, Checkpoint.of(config.path))
    if not isinstance(config, CheckpointEncoderConfig):
        science = config.model_dump(mode="json", exclude=_NO_SCIENCE | _unused(config))
        return EncoderSource(name=name, config=config, digest=digest_of(science, _weights_digest(config)))
    if config.dataset not in known:
        raise ConfigurationError(
            f"encoders.use names {name}, which is {config.dataset}; this pipeline has "
            f"{', '.join(known) or 'no checkpoint'}. Remedy: run the pipeline that trains it, such as "
            "eval_davis_systems, or leave it out of encoders.use."
        )
    return _trained_source(name, config, known[config.dataset])


def _unused(config: EncoderConfig) -> set[str]:
    """What has no influence: the seed of random weights where there are others."""
    return {"seed"} if isinstance(config, TimmEncoderConfig) and config.weights is not None else set()


def _trained_source(name: str, config: TrainedEncoderConfig, checkpoint: Checkpoint) -> EncoderSource:
    weights = digest_of_file(checkpoint.weights)
    return EncoderSource(
        name=name,
        config=config,
        checkpoint=checkpoint.directory.absolute(),
        system=str(checkpoint.meta.get("system")),
        digest=digest_of(config.positions, config.stage, config.cell, checkpoint.config, weights),
    )


def _weights_digest(config: EncoderConfig) -> str | None:
    """Digest of the file that holds the weights, if there is one: what is in it counts, not where it lies.

    Beside weights in transformers' layout, ``config.json`` says what no tensor shows.
    """
    from vidrep_pipelines.common.foreign_weights import weights_digest

    match config:
        case TimmEncoderConfig(weights=None):
            return None
        case VideoModelEncoderConfig(path=path, codec=codec):
            return digest_of(Checkpoint.of(path).digest, Checkpoint.of(codec).digest)
        case OriginalEncoderConfig(path=path) | TimmEncoderConfig(weights=path) | RvmEncoderConfig(path=path):
            assert path is not None
            return weights_digest("encoders", path)
        case VjepaEncoderConfig(path=path) | VideoMaeEncoderConfig(path=path):
            weights, beside = weights_digest("encoders", path), path.parent / "config.json"
            return digest_of(weights, digest_of_file(beside) if beside.is_file() else None)
        case _:
            return None


@lru_cache(maxsize=_ENCODERS_KEPT)
def encoder_on(source: EncoderSource, device: "torch.device") -> "Encoder":
    """The encoder of :func:`load_encoder` on a device; kept, as a worker has many items for the same one."""
    from torch import nn

    encoder = load_encoder(source)
    assert isinstance(encoder, nn.Module)
    encoder.to(device)
    return encoder


def image_encoder_on(source: EncoderSource, device: "torch.device") -> "ImageEncoder":
    """The same for an evaluation that looks at single pictures.

    Raises:
        ConfigurationError: The encoder needs several frames.
    """
    from vidrep_pipelines.evaluation.encoders.protocol import VideoEncoder

    encoder = encoder_on(source, device)
    if isinstance(encoder, VideoEncoder):
        raise ConfigurationError(
            f"encoders: {source.name} looks at several frames of a video, and single pictures are evaluated "
            "here. Remedy: leave it out, or name an image encoder."
        )
    return encoder


def load_encoder(source: EncoderSource) -> "Encoder":
    """The encoder, on the CPU and ready to evaluate.

    Raises:
        InputError: Its weights cannot be read or do not fit.
        ConfigurationError: Nobody knows how to take an image encoder out of the system's checkpoint, or it
            names a model that does not exist.
    """
    from vidrep_pipelines.evaluation.encoders.floors import PixelEncoder, random_encoder
    from vidrep_pipelines.evaluation.encoders.original import load_original_encoder
    from vidrep_pipelines.evaluation.encoders.recurrent import load_rvm_encoder
    from vidrep_pipelines.evaluation.encoders.timm_models import load_timm_encoder
    from vidrep_pipelines.evaluation.encoders.video_checkpoints import (
        load_videomae_encoder,
        load_vjepa_encoder,
    )

    match source.config:
        case CheckpointEncoderConfig() | FolderEncoderConfig() as config:
            return _trained_encoder(source, config)
        case OriginalEncoderConfig() as config:
            return load_original_encoder(source.name, config)
        case TimmEncoderConfig() as config:
            return load_timm_encoder(source.name, config)
        case VjepaEncoderConfig() as config:
            return load_vjepa_encoder(source.name, config)
        case VideoMaeEncoderConfig() as config:
            return load_videomae_encoder(source.name, config)
        case RvmEncoderConfig() as config:
            return load_rvm_encoder(source.name, config)
        case VideoModelEncoderConfig() as config:
            return _video_model_encoder(source.name, config)
        case RandomEncoderConfig() as config:
            return random_encoder(source.name, config)
        case PixelEncoderConfig() as config:
            return PixelEncoder(source.name, config)


def _video_model_encoder(name: str, config: VideoModelEncoderConfig) -> "ImageEncoder":
    from vidrep_pipelines.adapters.video_model_encoder import (
        load_video_model_encoder,  # diffusers takes seconds
    )

    return load_video_model_encoder(name, config)


def _trained_encoder(source: EncoderSource, config: TrainedEncoderConfig) -> "ImageEncoder":
    """The encoder inside a checkpoint of one of this project's systems."""
    assert source.checkpoint is not None
    checkpoint = Checkpoint.checked(source.checkpoint)
    match source.system:
        case "rsp":
            return _rsp_encoder(source.name, checkpoint, config)
        case "carl":
            return _carl_encoder(source.name, checkpoint, config)
        case "vqvae":
            return _vqvae_encoder(source.name, checkpoint, config)
        case "voc_vae" | "voc_dino" | "voc_musik":
            return _voc_encoder(source.name, checkpoint, config)
        case _:
            raise ConfigurationError(
                f"{source.name}: there is no image encoder for checkpoints of {source.system}."
            )


def _rsp_encoder(name: str, checkpoint: Checkpoint, config: TrainedEncoderConfig) -> "ImageEncoder":
    from vidrep_pipelines.evaluation.encoders.transformer import TransformerEncoder
    from vidrep_pipelines.models.rsp.config import RspModelConfig
    from vidrep_pipelines.models.rsp.inference import image_encoder

    model = RspModelConfig.model_validate(checkpoint.config)
    encoder = image_encoder(model, checkpoint.state_dict())
    return TransformerEncoder(name, encoder, stride=model.patch_size, positions=config.positions)


def _carl_encoder(name: str, checkpoint: Checkpoint, config: TrainedEncoderConfig) -> "ImageEncoder":
    from vidrep_pipelines.evaluation.encoders.feature_maps import FeatureMapEncoder
    from vidrep_pipelines.models.carl.inference import BackboneStage, TrainedCarl

    stage = BackboneStage(TrainedCarl.load(checkpoint.directory).model, config.stage)
    return FeatureMapEncoder(name, stage, network_stride=stage.stride, cell=config.cell)


def _vqvae_encoder(name: str, checkpoint: Checkpoint, config: TrainedEncoderConfig) -> "ImageEncoder":
    from vidrep_pipelines.evaluation.encoders.feature_maps import FeatureMapEncoder
    from vidrep_pipelines.models.vqvae.inference import FrameLatents, TrainedVqvae

    trained = TrainedVqvae.load(checkpoint.directory)
    latents = FrameLatents(trained.model)
    units = trained.data
    return FeatureMapEncoder(
        name, latents, network_stride=latents.stride, cell=config.cell, mean=units.mean, std=units.std
    )


def _voc_encoder(name: str, checkpoint: Checkpoint, config: TrainedEncoderConfig) -> "ImageEncoder":
    from vidrep_pipelines.evaluation.encoders.feature_maps import FeatureMapEncoder
    from vidrep_pipelines.models.voc.tokenizers.inference import TokenizerMaps, checkpoint_source

    maps = TokenizerMaps(checkpoint_source(checkpoint.config, checkpoint.weights).load())
    units = maps.tokenizer.pixels
    return FeatureMapEncoder(
        name, maps, network_stride=maps.stride, cell=config.cell, mean=units.mean, std=units.std
    )
