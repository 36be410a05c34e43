"""How large a training's own loss is on held-out episodes, while it goes on."""

from copy import deepcopy
from typing import Any, ClassVar

import torch
from torch import nn
from torch.utils.data import default_collate

from vidrep_pipelines.models.voc.config import HeldOutLossConfig, OccupancyName
from vidrep_pipelines.models.voc.joint.task import JointTask
from vidrep_pipelines.models.voc.tokenizers.dino.task import VqkdTask
from vidrep_pipelines.models.voc.tokenizers.musik.task import MusikTask
from vidrep_pipelines.models.voc.tokenizers.vae.task import VaeTask
from vidrep_pipelines.training.system_task import SystemTask
from vidrep_pipelines.training.task import StepInfo, Task
from vidrep_pipelines.training.update import move_to

_TASKS: dict[OccupancyName, type[SystemTask[Any]]] = {
    "vae": VaeTask,
    "dino": VqkdTask,
    "musik": MusikTask,
    "joint": JointTask,
}
_STEP = StepInfo(0, 0.0, torch.Tensor.detach)


@torch.no_grad()
def held_out_losses(task: Task[Any], model: nn.Module, items: int, batch_size: int) -> dict[str, float]:
    """``loss`` and its parts, as means over samples that are always the same.

    Args:
        task: The training's, with the split to be measured.
        model: In evaluation mode.
        items: Samples, spread evenly; fewer if there are not so many.
        batch_size: Samples that are measured together.
    """
    device = next(model.parameters()).device
    dataset: Any = task.build_dataset()
    count = min(items, len(dataset))
    numbers = torch.linspace(0, len(dataset) - 1, count, dtype=torch.float64).round().long().tolist()
    sums: dict[str, float] = {}
    for start in range(0, count, batch_size):
        part = numbers[start : start + batch_size]
        batch = move_to(default_collate([dataset[0, number] for number in part]), device)
        loss, metrics = task.loss(model, batch, _STEP)
        for name, value in {"loss": loss, **metrics}.items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(part)
    return {name: total / count for name, total in sums.items()}


class HeldOutLoss(HeldOutLossConfig):
    """The loss of a tokenizer, alone or with its occupancy model; a ``Probe`` of the training loop."""

    of_whole_model: ClassVar[bool] = True

    kind: OccupancyName
    """Which task it is."""

    task: dict[str, Any]
    """Its fields, on the held-out split."""

    def measure(self, encoder: nn.Module) -> dict[str, float]:
        """``loss`` and its parts on the held-out episodes.

        Args:
            encoder: The model in evaluation mode. A copy is measured: codebooks that follow averages collect
                what they are shown.
        """
        task: Any = _TASKS[self.kind].model_validate(self.task)
        return held_out_losses(task, deepcopy(encoder), self.items, self.batch_size)
