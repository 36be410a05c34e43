"""What the released scripts do with each tokenizer, laid over parameters of any size."""

from vidrep_pipelines.models.voc.config import TokenizerName
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig, QuantizationConfig
from vidrep_pipelines.models.voc.tokenizers.dino.config import VqkdConfig
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig, MusikObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig, VaeObjectiveConfig

_LEGACY = QuantizationConfig(weighting="legacy")


def published_pixels(pixels: PixelConfig) -> PixelConfig:
    """Nearest pixels in the units of the released checkpoints; size and shift stay."""
    return pixels.model_copy(update={"resize": "nearest", "normalization": "published"})


def released_pixels(kind: TokenizerName, pixels: PixelConfig) -> PixelConfig:
    """What a released file needs, as it was trained; size and shift stay.

    The VQ checkpoints were trained on nearest pixels in units with a slip, VQ-KD (BEiT v2) on -1..1, which
    the scripts that use it step over (``published_vqkd``).
    """
    if kind == "dino":
        return pixels.model_copy(update={"normalization": "symmetric"})
    return published_pixels(pixels)


def published_vae(model: VaeConfig, objective: VaeObjectiveConfig) -> tuple[VaeConfig, VaeObjectiveConfig]:
    """Pixels as released, LPIPS on them as they are, beta on the codebook's term."""
    changed = {"perceptual_input": "normalized", "quantization": _LEGACY}
    pixels = published_pixels(model.pixels)
    return model.model_copy(update={"pixels": pixels}), objective.model_copy(update=changed)


def published_musik(
    model: MusikConfig, objective: MusikObjectiveConfig
) -> tuple[MusikConfig, MusikObjectiveConfig]:
    """Pixels as released, no offset to the last state, beta on the codebook's term."""
    changed = {"offsets_at_the_end": "published", "quantization": _LEGACY}
    pixels = published_pixels(model.pixels)
    return model.model_copy(update={"pixels": pixels}), objective.model_copy(update=changed)


def published_vqkd(model: VqkdConfig) -> VqkdConfig:
    """Pixels as released, which are not those that VQ-KD was trained on; uses counted in evaluation too."""
    return model.model_copy(update={"pixels": published_pixels(model.pixels), "counting": "always"})
