"""Encoders that timm knows by name, with weights from a local file."""

import logging
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


class ConvolutionalEncoder(nn.Module):
    """The output of one stage of a ResNet of timm's, without later stages.

    Args:
        name: How reports call the encoder.
        network: A ResNet; its classifier is never called.
        stage: The stage, counted from 1.
        mean: What was subtracted from red, green and blue (0 to 1) in its training.
        std: What they were divided by.
    """

    def __init__(
        self,
        name: str,
        network: Any,
        *,
        stage: int,
        mean: Triple = IMAGENET_MEAN,
        std: Triple = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.name, self.mean, self.std = name, mean, std
        self.network = network
        self._stage = stage
        self.stride = int(self.network.feature_info[stage]["reduction"])

    @torch.no_grad()
    def patch_features(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W) to features (B, D, H / stride, W / stride).

        Raises:
            InputError: H or W is not a multiple of the stride.
        """
        grid_of(images, self.stride)
        features: Tensor = self.network.forward_intermediates(
            images, indices=[self._stage], stop_early=True, intermediates_only=True
        )[0]
        return features


_log = logging.getLogger(__name__)


def load_timm_encoder(name: str, config: TimmEncoderConfig) -> TransformerEncoder | ConvolutionalEncoder:
    """Builds the model without its classifier and fills it from the file; normalization is timm's for it.

    Raises:
        ConfigurationError: timm does not know the name, or it is neither a ViT nor a ResNet.
        InputError: The file cannot be read, lacks a tensor of the model's, or one does not fit.
    """
    model = _create(config)
    _fill(model, config)
    mean, std = _normalization(model)
    if isinstance(model, timm.models.resnet.ResNet):
        return ConvolutionalEncoder(name, model.eval(), stage=config.stage, mean=mean, std=std)
    use_fast_linear_layers(model)
    shape: Any = model
    return TransformerEncoder(
        name,
        model.eval(),
        stride=shape.patch_embed.patch_size[0],
        prefix=shape.num_prefix_tokens,
        table_prefix=0 if shape.no_embed_class else shape.num_prefix_tokens,
        positions=config.positions,
        mean=mean,
        std=std,
    )


def _create(config: TimmEncoderConfig) -> nn.Module:
    family = _family(config.model)
    if family == "resnet":
        network: nn.Module = timm.create_model(
            config.model, num_classes=0, output_stride=config.output_stride
        )
        return network
    if (family == "deit" and "distilled" not in config.model) or family == "vision_transformer":
        sizes = {} if config.image_size is None else {"img_size": config.image_size}
        transformer: nn.Module = timm.create_model(config.model, num_classes=0, global_pool="", **sizes)
        return transformer
    raise ConfigurationError(f"{config.model} is neither a plain ViT nor a ResNet; only these are evaluated.")


def _family(model: str) -> str:
    """The module of timm's that defines the model."""
    if not timm.is_model(model):
        similar = timm.list_models(f"*{model.split('_', maxsplit=1)[0]}*")
        raise ConfigurationError(f"timm knows no model {model!r}; similar: {some_of(similar) or 'none'}.")
    module: str = timm.models.model_entrypoint(model).__module__
    return module.rpartition(".")[2]


def _fill(model: nn.Module, config: TimmEncoderConfig) -> None:
    state, own = without_wrappers(read_weights(config.weights, config.entry)), model.state_dict()
    wrong = [f"{part} is missing" for part in own if part not in state]
    wrong += [
        f"{part} is {tuple(state[part].shape)}, expected {tuple(value.shape)}"
        for part, value in own.items()
        if part in state and state[part].shape != value.shape
    ]
    if wrong:
        raise InputError(
            f"{config.weights} does not fit {config.model}: {some_of(wrong)}. Remedy: name the model that "
            "the weights belong to; a position table of another length needs image_size."
        )
    model.load_state_dict({part: state[part] for part in own})
    others = [part for part in state if part not in own]
    if others:
        _log.info("%s: %d tensors are not the encoder's: %s", config.weights, len(others), some_of(others))


def _normalization(model: nn.Module) -> tuple[Triple, Triple]:
    published: Any = model.pretrained_cfg
    red, green, blue = published["mean"]
    red_std, green_std, blue_std = published["std"]
    return (red, green, blue), (red_std, green_std, blue_std)
