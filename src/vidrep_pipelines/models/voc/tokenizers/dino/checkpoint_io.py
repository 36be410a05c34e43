"""Checkpoints of VQ-KD in the layout that BEiT v2 publishes."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.trained import load_strictly
from vidrep_pipelines.models.shared.weight_file import read_weights
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig
from vidrep_pipelines.models.voc.tokenizers.dino.config import TransformerConfig, VqkdConfig
from vidrep_pipelines.models.voc.tokenizers.dino.model import VqkdTokenizer

_PARTS = (
    ("quantize.embedding.weight", "quantizer.codes.codebook"),
    ("quantize.embedding.cluster_size", "quantizer.spare_counts"),
    ("quantize.embedding.embed_avg", "quantizer.spare_sums"),
    ("quantize.embedding.initted", "quantizer.initialized"),
    ("quantize.cluster_size", "quantizer.counts"),
    ("encode_task_layer.", "to_latents."),
    ("decode_task_layer.", "to_features."),
    ("encoder.", "encoder."),
    ("decoder.", "decoder."),
)
_TRAINING_ONLY = ("loss", "teacher", "scaling")
_HEAD_WIDTH = 64


def load_original(path: Path) -> dict[str, Tensor]:
    """Reads weights under their published names, without teacher and loss.

    Accepts the published file (``model``), ``state_dict``, a bare state dict, and ``.safetensors``.

    Raises:
        InputError: The file is absent, damaged, of another kind, or asks for code to be run.
    """
    try:
        weights = read_weights(path, None if path.suffix == ".safetensors" else "state_dict")
    except InputError:
        weights = read_weights(path)
    return {name: value for name, value in weights.items() if not name.startswith(_TRAINING_ONLY)}


def infer_config(
    state: Mapping[str, Tensor], pixels: PixelConfig | None = None, *, heads: int | None = None
) -> VqkdConfig:
    """The architecture of published weights.

    Args:
        state: Weights under the published names.
        pixels: How pictures are prepared; the size follows from the weights. None: as VQ-KD was trained.
        heads: Attention heads, which no shape shows. None: one per 64 channels, as in every ViT-B.

    Raises:
        InputError: They are not those of VQ-KD.
    """
    try:
        dimension, _, patch_size, _ = state["encoder.patch_embed.proj.weight"].shape
        grid = round((state["encoder.pos_embed"].shape[1] - 1) ** 0.5)
        vocabulary, code_dimension = state["quantize.embedding.weight"].shape
        settings = VqkdConfig().pixels if pixels is None else pixels
        return VqkdConfig(
            pixels=settings.model_copy(update={"size": grid * patch_size}),
            patch_size=patch_size,
            encoder=_transformer(state, "encoder.", dimension, heads),
            decoder=_transformer(state, "decoder.", len(state["decoder.fc_norm.weight"]), heads),
            vocabulary=vocabulary,
            code_dimension=code_dimension,
            teacher_dimension=len(state["decode_task_layer.2.bias"]),
        )
    except (KeyError, ValueError) as error:
        raise InputError(f"These weights are not those of VQ-KD: {error} is missing or unfit.") from error


def load_into(model: VqkdTokenizer, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads published weights; every tensor must be there and fit.

    Raises:
        InputError: Another architecture.
    """
    load_strictly(model, {_renamed(name, 0, 1): value for name, value in state.items()}, origin)


def to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our weights under the published names."""
    return {_renamed(name, 1, 0): value for name, value in state.items()}


def _renamed(name: str, source: int, target: int) -> str:
    for pair in _PARTS:
        if name.startswith(pair[source]):
            return pair[target] + name.removeprefix(pair[source])
    return name


def _transformer(
    state: Mapping[str, Tensor], prefix: str, dimension: int, heads: int | None
) -> TransformerConfig:
    blocks = {name.split(".")[2] for name in state if name.startswith(f"{prefix}blocks.")}
    hidden = len(state[f"{prefix}blocks.0.mlp.fc1.bias"])
    return TransformerConfig(
        dimension=dimension,
        depth=len(blocks),
        heads=heads or max(1, dimension // _HEAD_WIDTH),
        mlp_ratio=hidden / dimension,
    )
