import pytest
import torch
from torch import nn

from tests.training.toy_task import ToyTask
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training import distributed, strategy
from vidrep_pipelines.training.batch_norm import SharedBatchNorm
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig
from vidrep_pipelines.training.task import TrainingStep

TRAIN = TrainConfig(steps=1, synchronized_batch_norm=True)


def step() -> TrainingStep:
    return TrainingStep(ToyTask(), nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))


def test_one_process_needs_no_synchronized_batch_norm() -> None:
    module = strategy.distribute(step(), TRAIN, LaunchConfig(), torch.device("cpu"))
    assert isinstance(module, TrainingStep) and isinstance(module.model, nn.Sequential)
    assert type(module.model[1]) is nn.BatchNorm1d


def test_without_cuda_our_own_batch_norms_are_synchronized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    with pytest.raises(ValueError, match="process group"):  # of DDP, which comes after
        strategy.distribute(module := step(), TRAIN, LaunchConfig(), torch.device("cpu"))
    assert isinstance(module.model, nn.Sequential) and type(module.model[1]) is SharedBatchNorm


def test_batch_norms_are_replaced_and_keep_their_parameters() -> None:
    module = step()
    assert isinstance(module.model, nn.Sequential)
    weight, training = module.model[1].weight, module.model[1].eval()
    strategy._synchronize_batch_norms(module, torch.device("cuda"))
    assert type(module.model[1]) is nn.SyncBatchNorm and not training.training
    assert module.model[1].weight is weight and not module.model[1].training


def test_a_missing_compiler_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    launch = LaunchConfig(device="cpu", compile=True)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ConfigurationError, match=r"no no-such-compiler.*launch\.compile to false"):
        strategy.distribute(step(), TRAIN, launch, torch.device("cpu"))
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigurationError, match=r"no g\+\+ or clang\+\+\. Install one"):
        strategy.distribute(step(), TRAIN, launch, torch.device("cpu"))


def test_a_missing_triton_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategy, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"triton.*launch\.compile to false"):
        strategy.compile_units(step(), torch.device("cuda"))
