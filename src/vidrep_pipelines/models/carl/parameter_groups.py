"""The optimizer's groups of parameters."""

from typing import Any

from torch import nn

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The trained parameters of batch norms, then all others, in the published order.

    As published, everything is decayed alike; the groups differ in name only.
    """
    norms = [
        parameter
        for module in model.modules()
        if isinstance(module, _BATCH_NORMS)
        for parameter in module.parameters()
    ]
    of_norms = {id(parameter) for parameter in norms}
    others = [parameter for parameter in model.parameters() if id(parameter) not in of_norms]
    groups = [
        {
            "params": [parameter for parameter in group if parameter.requires_grad],
            "weight_decay": weight_decay,
        }
        for group in (norms, others)
    ]
    return [group for group in groups if group["params"]]
