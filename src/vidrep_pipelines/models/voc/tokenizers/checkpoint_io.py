"""Tokenizers in the published layouts: read as checkpoints of the catalog, and written from them."""

from pathlib import Path

from torch import Tensor, nn

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.shared.weight_file import write_weights
from vidrep_pipelines.models.voc.tokenizers.dino import checkpoint_io as vqkd_io
from vidrep_pipelines.models.voc.tokenizers.dino.config import VqkdConfig
from vidrep_pipelines.models.voc.tokenizers.inference import TokenizerSource
from vidrep_pipelines.models.voc.tokenizers.musik import checkpoint_io as musik_io
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig
from vidrep_pipelines.models.voc.tokenizers.vae import checkpoint_io as vae_io
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig


def finished_source(path: Path, model: VaeConfig | VqkdConfig | MusikConfig) -> TokenizerSource:
    """A file in the published layout, with the sizes in ``model`` or, if it has others, those that it shows.

    Args:
        path: The file.
        model: Also says what no shape shows: units of pixels, nominal side, frames of a state, size of
            actions.

    Raises:
        InputError: The file cannot be read, or is no tokenizer of this kind.
    """
    given = _source(path, model)
    try:
        given.load()
    except InputError:
        return _source(path, _shown_sizes(path, model))
    return given


def _source(path: Path, model: VaeConfig | VqkdConfig | MusikConfig) -> TokenizerSource:
    kind = {VaeConfig: "vae", VqkdConfig: "dino", MusikConfig: "musik"}[type(model)]
    fields = {"kind": kind, "weights": path, "layout": "published", "model": model.model_dump(mode="json")}
    return TokenizerSource.model_validate(fields)


def _shown_sizes(
    path: Path, model: VaeConfig | VqkdConfig | MusikConfig
) -> VaeConfig | VqkdConfig | MusikConfig:
    if isinstance(model, VqkdConfig):
        return vqkd_io.infer_config(vqkd_io.load_original(path), model.pixels)
    side = model.network.image_size
    if isinstance(model, VaeConfig):
        return vae_io.infer_config(vae_io.load_original(path), model.pixels, image_size=side)
    return musik_io.infer_config(
        musik_io.load_original(path),
        model.pixels,
        frame_stack=model.frame_stack,
        action_dimension=model.action_dimension,
        image_size=side,
    )


def write_finished(source: TokenizerSource, directory: Path) -> Path:
    """Writes a tokenizer's weights under our names as ``model.safetensors`` and returns the path.

    Raises:
        InputError: The file of ``source`` cannot be read, or holds another network.
    """
    state = _state(source)
    path = directory / "model.safetensors"
    write_weights(state, path)
    return path


def published_weights(source: TokenizerSource) -> dict[str, Tensor]:
    """A tokenizer's weights under the published names.

    Raises:
        InputError: The weights cannot be read, or are of another architecture.
    """
    state = _state(source)
    if source.kind == "musik":
        return musik_io.to_original(state)[0]
    return vae_io.to_original(state) if source.kind == "vae" else vqkd_io.to_original(state)


def published_action_energy(source: TokenizerSource) -> dict[str, Tensor]:
    """The contrastive head of a tokenizer ``musik``, which is published as a file of its own.

    Raises:
        InputError: The weights cannot be read, or are of another architecture.
        ConfigurationError: Another tokenizer, which has no such head.
    """
    if source.kind != "musik":
        raise ConfigurationError(f"The tokenizer {source.kind} has no contrastive head; musik has one.")
    return musik_io.to_original(_state(source))[1]


def _state(source: TokenizerSource) -> dict[str, Tensor]:
    tokenizer = source.load()
    assert isinstance(tokenizer, nn.Module)
    return tokenizer.state_dict()
