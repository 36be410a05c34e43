"""From a network to the arrays of a policy's file."""

from collections.abc import Iterable

from torch import nn

from vidrep_pipelines.data.sources.dm_control.actor import Layers


def linear_layers(modules: Iterable[nn.Module]) -> Layers:
    """Weights and biases of the linear layers among modules that are applied one after the other."""
    linear = [module for module in modules if isinstance(module, nn.Linear)]
    return [(module.weight.detach().numpy().copy(), module.bias.detach().numpy().copy()) for module in linear]
