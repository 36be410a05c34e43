"""The image encoder out of a trained RSP, which is all that is kept for use on other tasks."""

from collections.abc import Mapping

from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.layers.encoder import VisionTransformerEncoder
from vidrep_pipelines.models.layers.linear import use_fast_linear_layers
from vidrep_pipelines.models.rsp.checkpoint_io import encoder_state
from vidrep_pipelines.models.rsp.config import RspModelConfig


def image_encoder(config: RspModelConfig, state: Mapping[str, Tensor]) -> VisionTransformerEncoder:
    """Builds the encoder alone and loads its part of a checkpoint.

    Args:
        config: The model that was trained.
        state: Weights of the whole model, under our names or the published ones.

    Raises:
        InputError: A tensor of the encoder is missing or has another shape.
    """
    encoder = VisionTransformerEncoder(
        image_size=config.image_size,
        patch_size=config.patch_size,
        channels=config.channels,
        dimension=config.embedding_dimension,
        depth=config.depth,
        heads=config.heads,
        mlp_ratio=config.mlp_ratio,
    )
    part = encoder_state(state, encoder.state_dict())
    if part.missing:
        raise InputError(
            f"The checkpoint lacks {len(part.missing)} tensors of the encoder: {part.missing[:5]}."
        )
    try:
        encoder.load_state_dict(part.weights)
    except RuntimeError as error:
        raise InputError(f"The checkpoint's encoder has other sizes than its config: {error}") from error
    use_fast_linear_layers(encoder)
    return encoder.eval()
