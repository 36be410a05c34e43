"""``launch.compile`` compiles what the loss of every system runs."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import default_collate

from tests.models.every_system import SYSTEMS
from vidrep_pipelines.training import strategy
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig
from vidrep_pipelines.training.inspection import evaluation_mode
from vidrep_pipelines.training.task import StepInfo, TrainingStep


class CountingCompiler:
    """Leaves graphs as they are, and counts how often they are run."""

    def __init__(self) -> None:
        self.graphs, self.runs = 0, 0

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Any:
        self.graphs += 1

        def run(*arguments: Any) -> Any:
            self.runs += 1
            return graph(*arguments)

        return run


@pytest.mark.parametrize(
    "system", [name if name == "rsp" else pytest.param(name, marks=pytest.mark.slow) for name in SYSTEMS]
)
def test_the_compiled_blocks_are_what_runs(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, compiler = SYSTEMS[system](tmp_path), CountingCompiler()
    monkeypatch.setattr(strategy, "COMPILER_BACKEND", compiler)
    torch.compiler.reset()
    torch.manual_seed(0)
    model = task.build_model()
    dataset = task.build_dataset()
    batch = default_collate([dataset[0, index] for index in range(2)])
    info = StepInfo(1, 0.0, torch.Tensor.detach)

    def loss(module: torch.nn.Module) -> torch.Tensor:
        torch.manual_seed(1)
        found: torch.Tensor = module(batch, info)[0]
        found.backward()  # type: ignore[no-untyped-call]
        return found.detach()

    launch, device = LaunchConfig(device="cpu", compile=True), torch.device("cpu")
    expected = loss(TrainingStep(task, model))
    module = strategy.distribute(TrainingStep(task, model), TrainConfig(steps=1), launch, device)
    units = [unit for unit in model.modules() if unit._compiled_call_impl is not None]
    found = loss(module)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert len(units) >= 2 and compiler.runs >= len(units)
    assert 0 < compiler.graphs <= 2 * len(units), "the blocks fall into pieces"
    graphs, runs = compiler.graphs, compiler.runs
    loss(module)
    assert compiler.graphs == graphs and compiler.runs > runs  # nothing is compiled again
    runs = compiler.runs
    with evaluation_mode(model), torch.no_grad():
        module(batch, info)
    assert compiler.runs == runs
