"""Tasks may move something of their model after every update."""

from pathlib import Path

import torch
from torch import nn

from tests.training.toy_task import TOY_TRAIN, ToyTask, toy_spec
from vidrep_pipelines.training import distributed
from vidrep_pipelines.training.launch import launch
from vidrep_pipelines.training.task import StepInfo


class FollowingTask(ToyTask):
    """Writes down after which updates it was called."""

    notes: Path

    def after_update(self, model: nn.Module, step: StepInfo) -> None:
        norm = model.get_parameter("first.weight").norm().item()
        gathered = step.gather_across_ranks(torch.tensor([[1.0]]))
        with self.notes.open("a") as file:
            file.write(f"{step.step} {norm:.6f} {tuple(gathered.shape)}\n")


def test_the_task_is_called_once_after_each_update_also_with_accumulation(tmp_path: Path) -> None:
    task = FollowingTask(notes=tmp_path / "notes.txt")
    spec = toy_spec(tmp_path, task, TOY_TRAIN)
    launch(spec.model_copy(update={"launch": spec.launch.model_copy(update={"device_batch_size": 2})}))
    lines = [line.split(maxsplit=2) for line in (tmp_path / "notes.txt").read_text().splitlines()]
    assert [int(line[0]) for line in lines] == list(range(12))
    assert (
        len({line[1] for line in lines}) > 6
    )  # the weights had moved, from the first update but the warm-up
    assert lines[0][2] == "(1, 1)"


def test_a_lone_process_gathers_its_own_values() -> None:
    values = torch.ones(2, 3, requires_grad=True)
    gathered = distributed.gather_across_ranks(values)
    assert torch.equal(gathered, values) and not gathered.requires_grad
