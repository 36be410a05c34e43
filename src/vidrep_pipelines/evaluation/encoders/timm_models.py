"""Encoders that timm knows by name, with weights from a local file."""

import io
import logging
from collections.abc import Collection, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vidrep_pipelines.common.arrays import Triple
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.compat import timm
from vidrep_pipelines.evaluation.encoders.config import IMAGENET_MEAN, IMAGENET_STD, TimmEncoderConfig
from vidrep_pipelines.evaluation.encoders.protocol import grid_of
from vidrep_pipelines.evaluation.encoders.transformer import TransformerEncoder
from vidrep_pipelines.models.layers.linear import use_fast_linear_layers
from vidrep_pipelines.models.shared.weight_file import read_weights, some_of, without_wrappers

_STAGES = 4
_PLAIN = ("vision_transformer", "deit")
"""timm's modules of ViTs with one table of positions, which can be resampled by either rule."""
_RESIZING = ("vision_transformer_hybrid", "deit", "eva")
"""Those of ViTs that resample tables, or compute rotary positions, for any size by themselves."""
_CHANGES_FEATURES = frozenset({"norm", "norm_pre", "reg_token", "register_tokens", "storage_tokens"})
"""Tensors that no network may leave out: what they belong to acts on every patch."""

_log = logging.getLogger(__name__)


class TimmMapEncoder(nn.Module):
    """The maps that one level of any network of timm's gives.

    Args:
        name: How reports call the encoder.
        network: A network with ``forward_intermediates``; its classifier is never called.
        level: Which of its feature maps, counted from 0.
        stride: Pixels per position of that map.
        size: Height and width of the only images that it takes. None: any that the stride divides.
        mean: What was subtracted from red, green and blue (0 to 1) in its training.
        std: What they were divided by.
    """

    def __init__(
        self,
        name: str,
        network: Any,
        *,
        level: int,
        stride: int,
        size: tuple[int, int] | None = None,
        mean: Triple = IMAGENET_MEAN,
        std: Triple = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.name, self.stride, self.mean, self.std = name, stride, mean, std
        self.network = network
        self._level, self._size = level, size

    @torch.no_grad()
    def patch_features(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W) to features (B, D, H / stride, W / stride).

        Raises:
            InputError: H or W is not a multiple of the stride, or the network takes images of one size only.
        """
        grid_of(images, self.stride)
        if self._size is not None and tuple(images.shape[-2:]) != self._size:
            height, width = self._size
            raise InputError(
                f"{self.name} takes images of {width}x{height} only, not of {images.shape[-1]}x"
                f"{images.shape[-2]}. Remedy: frame_size: {{rule: exact, sides: [{height}, {width}]}}."
            )
        features: Tensor = self.network.forward_intermediates(
            images, indices=[self._level], norm=True, stop_early=True, intermediates_only=True
        )[0]
        return features


def load_timm_encoder(name: str, config: TimmEncoderConfig) -> TransformerEncoder | TimmMapEncoder:
    """Builds the network as far as its feature map and fills it from the file.

    The file is one of timm's, or one of the authors that timm converts itself (DINOv2, DINOv3, CLIP).
    Normalization is timm's for the model. Without a file the weights are random.

    Raises:
        ConfigurationError: timm does not know the name, the model gives no feature map, or not the one that
            is asked for.
        InputError: The file cannot be read, lacks a tensor of the model's, or one does not fit.
    """
    family = _family(config.model)
    plain = family in _PLAIN and "distilled" not in config.model
    model = _create(config, resizes=not plain if family in (*_PLAIN, *_RESIZING) else None)
    level, stride = _level(model, config)
    all_names = set(model.state_dict())
    model.prune_intermediate_layers([level])
    if config.weights is not None:
        _fill(model, config.weights, all_names, config, family)
    use_fast_linear_layers(model)
    mean, std = _normalization(model)
    if plain and isinstance(model.pos_embed, Tensor):
        return TransformerEncoder(
            name,
            model.eval(),
            stride=stride,
            prefix=model.num_prefix_tokens,
            table_prefix=0 if model.no_embed_class else model.num_prefix_tokens,
            positions=config.positions,
            mean=mean,
            std=std,
        )
    size = None if family in (*_PLAIN, *_RESIZING) else _only_size(model, config)
    return TimmMapEncoder(name, model.eval(), level=level, stride=stride, size=size, mean=mean, std=std)


def _create(config: TimmEncoderConfig, resizes: bool | None) -> Any:
    """The network; ``resizes``: whether it resamples positions itself. None: it is not asked."""
    options: dict[str, Any] = {} if config.image_size is None else {"img_size": config.image_size}
    if config.output_stride != TimmEncoderConfig.model_fields["output_stride"].default:
        options["output_stride"] = config.output_stride
    dynamic = {} if resizes is None else {"dynamic_img_size": resizes}
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            return timm.create_model(config.model, num_classes=0, **options, **dynamic)
    except (TypeError, AssertionError) as error:
        if not options:
            raise
        raise ConfigurationError(
            f"{config.model} cannot be built with {options} ({error}). Remedy: image_size is for vision "
            "transformers, output_stride for convolutional networks; leave out the other one."
        ) from error


def _family(model: str) -> str:
    """The module of timm's that defines the model."""
    if not timm.is_model(model):
        similar = timm.list_models(f"*{model.split('_', maxsplit=1)[0]}*")
        raise ConfigurationError(f"timm knows no model {model!r}; similar: {some_of(similar) or 'none'}.")
    module: str = timm.models.model_entrypoint(model).__module__
    return module.rpartition(".")[2]


def _level(model: Any, config: TimmEncoderConfig) -> tuple[int, int]:
    """Which feature map of the network's, and its stride.

    Transformers whose blocks all have the same grid give that of the last one; networks that grow coarser
    give that of one of their last four levels, which are the stages of a ResNet.
    """
    levels = getattr(model, "feature_info", None)
    if not levels or not hasattr(model, "prune_intermediate_layers"):
        raise ConfigurationError(
            f"{config.model} gives no feature map. Remedy: choose a model of timm's with "
            "forward_intermediates, such as a ViT, a ConvNeXt or a ResNet."
        )
    reductions = [level["reduction"] for level in levels]
    index = len(reductions) - 1
    if len(set(reductions)) > 1:
        stages = range(len(reductions))[-_STAGES:]
        if config.stage > len(stages):
            raise ConfigurationError(f"{config.model} has {len(stages)} stages, not stage={config.stage}.")
        index = stages[config.stage - 1]
    stride = reductions[index]
    if isinstance(stride, tuple):
        stride, other = stride
        if other != stride:
            raise ConfigurationError(
                f"{config.model} has cells of {stride}x{other} pixels, which are not square."
            )
    return index, int(stride)


def _fill(
    model: nn.Module, weights: Path, all_names: Collection[str], config: TimmEncoderConfig, family: str
) -> None:
    """Strictly: every tensor of the model must be there, and no other that its parts might have had."""
    state, own = without_wrappers(read_weights(weights, config.entry)), model.state_dict()
    if not own.keys() <= state.keys():
        state = _converted(state, model, family)
    wrong = [f"{part} is missing" for part in own if part not in state]
    wrong += [
        f"{part} is {tuple(state[part].shape)}, expected {tuple(value.shape)}"
        for part, value in own.items()
        if part in state and state[part].shape != value.shape
    ]
    parts = {part.partition(".")[0] for part in own} | _CHANGES_FEATURES
    others = [part for part in state if part not in own]
    wrong += [
        f"{part} is unknown" for part in others if part not in all_names and part.partition(".")[0] in parts
    ]
    if wrong:
        raise InputError(
            f"{weights} does not fit {config.model}: {some_of(wrong)}. Remedy: name the model that "
            "the weights belong to; a position table of another length needs image_size."
        )
    model.load_state_dict({part: state[part] for part in own})
    if others:
        _log.info("%s: %d tensors are not the encoder's: %s", weights, len(others), some_of(others))


def _converted(state: Mapping[str, Tensor], model: nn.Module, family: str) -> dict[str, Tensor]:
    """The weights under timm's names if timm can convert them, else as they are.

    A table of positions that timm resampled on the way is put back: its size is the user's to say.
    """
    convert = getattr(getattr(timm.models, family), "checkpoint_filter_fn", None)
    if convert is None:
        return dict(state)
    try:
        with redirect_stdout(io.StringIO()):  # timm prints what the model has no place for
            converted: dict[str, Tensor] = convert(dict(state), model)
    except Exception:  # made for files that it knows; any other can raise nearly anything
        return dict(state)
    table, former = converted.get("pos_embed"), state.get("pos_embed")
    if table is not None and former is not None and not 0 <= former.shape[1] - table.shape[1] <= 1:
        converted["pos_embed"] = former
    return converted


def _only_size(model: Any, config: TimmEncoderConfig) -> tuple[int, int] | None:
    """Height and width of images, for networks whose positions or windows are made for one size."""
    published = model.pretrained_cfg
    if not published.get("fixed_input_size"):
        return None
    _, height, width = published["input_size"]
    return (height, width) if config.image_size is None else (config.image_size, config.image_size)


def _normalization(model: nn.Module) -> tuple[Triple, Triple]:
    published: Any = model.pretrained_cfg
    red, green, blue = published["mean"]
    red_std, green_std, blue_std = published["std"]
    return (red, green, blue), (red_std, green_std, blue_std)
