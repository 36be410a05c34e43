"""Initial weights of transformers."""

from torch import nn


def initialize_linear_layers(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases for one linear layer; pass it to ``model.apply``."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def initialize_patch_embedding(projection: nn.Module) -> None:
    """Xavier-uniform weights as if the convolution were a linear layer on flattened patches (MAE).

    The bias keeps the framework's default, as published.
    """
    weight = projection.get_parameter("weight")
    nn.init.xavier_uniform_(weight.detach().flatten(1))
