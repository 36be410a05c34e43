"""What of a video model is trained: all, parts by their names, or low-rank adapters; and at what memory."""

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.video.config import AdaptationConfig, LowRankConfig
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion

TEMPORAL_PARTS = ("temporal", "time_mixer", "time_pos_embed")
"""Parts of the names of all that works over time; ``time_embedding``, the noise level's, is not."""

_BASE, _DOWN, _UP = ".base_layer.", ".lora_A.default.", ".lora_B.default."


def adapt(model: VideoDiffusion, config: AdaptationConfig) -> None:
    """Freezes what is not trained, puts adapters in, and turns gradient checkpointing on or off.

    A text model with its own vocabulary is always trained.

    Args:
        model: With its start weights; changed in place. Adapters are new and change nothing at first.
        config: What is trained.

    Raises:
        ConfigurationError: A part of a name or a target is in no name, or nothing is left to train.
    """
    if config.gradient_checkpointing:
        model.unet.enable_gradient_checkpointing()
    else:
        model.unet.disable_gradient_checkpointing()
    if config.lora is not None:
        put_adapters_in(model, config.lora, temporal=not config.freeze_temporal)
        return
    for name, parameter in model.unet.named_parameters():
        parameter.requires_grad_(_is_trained(name, config))
    names = [name for name, _ in model.unet.named_parameters()]
    _check_parts("trainable", config.trainable, names)
    if not any(parameter.requires_grad for parameter in model.unet.parameters()):
        raise ConfigurationError(
            f"adaptation: nothing of the UNet is left to train with trainable={list(config.trainable)} and "
            f"freeze_temporal={config.freeze_temporal}. Remedy: name other parts, or do not freeze."
        )


def _is_trained(name: str, config: AdaptationConfig) -> bool:
    if config.freeze_temporal and is_temporal(name):
        return False
    return not config.trainable or any(part in name for part in config.trainable)


def is_temporal(name: str) -> bool:
    """Whether a parameter or layer of that name works over time."""
    return any(part in name for part in TEMPORAL_PARTS)


def _check_parts(field: str, parts: Iterable[str], names: Iterable[str]) -> None:
    names = list(names)
    if strange := [part for part in parts if not any(part in name for name in names)]:
        known = sorted({word for name in names for word in name.split(".") if not word.isdigit()})
        raise ConfigurationError(
            f"adaptation.{field}: {strange[0]!r} is in no name of the UNet. Names are made of "
            f"{', '.join(known)}."
        )


def put_adapters_in(model: VideoDiffusion, config: LowRankConfig, *, temporal: bool = True) -> None:
    """Freezes the UNet and puts a low-rank adapter on each target.

    Args:
        model: Changed in place.
        config: Rank, scale and targets.
        temporal: Also on layers that work over time.

    Raises:
        ConfigurationError: A target ends no layer's name.
    """
    from vidrep_pipelines.compat import peft  # noqa: PLC0415 (takes seconds)

    layers = [name for name, layer in model.unet.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    for target in config.targets:
        if not any(_ends_with(name, target) for name in layers):
            raise ConfigurationError(
                f"adaptation.lora.targets: no linear layer or convolution of the UNet is called {target!r}. "
                "Remedy: use ends of names such as to_q, ff.net.2 or conv_in."
            )
    named = [name for name in layers if any(_ends_with(name, target) for target in config.targets)]
    named = [name for name in named if temporal or not is_temporal(name)]
    settings = peft.LoraConfig(
        r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=named
    )
    model.unet.requires_grad_(False)
    peft.inject_adapter_in_model(settings, model.unet)


def _ends_with(name: str, target: str) -> bool:
    return f".{name}".endswith(f".{target}")


def adapter_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What training with adapters changed: of a video model's weights, all but the UNet's own.

    A checkpoint of adapters is these and the digest of the weights they belong to.
    """
    return {name: value for name, value in state.items() if not is_base(name)}


def is_base(name: str) -> bool:
    """Whether a weight of a video model with adapters is one that training does not change."""
    return name.startswith("unet.") and _DOWN not in name and _UP not in name


def merged_weights(state: Mapping[str, Tensor], config: LowRankConfig) -> dict[str, Tensor]:
    """The weights of a plain video model that computes what one with adapters does: W + alpha / rank B A.

    Args:
        state: Weights of a model with adapters, or those of a plain model and adapters for it; what has no
            adapter is returned as it is.
        config: As it was trained.
    """
    merged = {}
    for name, value in state.items():
        if _DOWN in name or _UP in name:
            continue
        plain = name.replace(_BASE, ".")
        stem = plain.removesuffix(".weight")
        if plain.endswith(".weight") and f"{stem}{_DOWN}weight" in state:
            down, up = state[f"{stem}{_DOWN}weight"], state[f"{stem}{_UP}weight"]
            update = (up.flatten(1).double() @ down.flatten(1).double()).reshape(value.shape)
            value = (value.double() + config.alpha / config.rank * update).to(value.dtype)  # noqa: PLW2901
        merged[plain] = value
    return merged
