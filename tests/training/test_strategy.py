import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.training.toy_task import ToyTask
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training import distributed, strategy
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig
from vidrep_pipelines.training.strategy import SharedBatchNorm, share_batch_norms
from vidrep_pipelines.training.task import TrainingStep

SHAPES = {nn.BatchNorm1d: (9, 4), nn.BatchNorm2d: (9, 4, 3, 2), nn.BatchNorm3d: (9, 4, 2, 2, 2)}


class TwoProcesses:
    """Two threads in place of processes, which add up what they hold."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(2, timeout=20)
        self._values: dict[int, Tensor] = {}

    def sum(self, values: Tensor) -> Tensor:
        # Autograd computes the gradients of a backward pass in the thread that asked for it, on the CPU.
        self._values[threading.get_ident()] = values.detach().clone()
        self._barrier.wait()
        total: Tensor = sum(self._values.values(), start=torch.zeros(()))
        self._barrier.wait()
        del self._values[threading.get_ident()]
        self._barrier.wait()
        return total

    def run(self, *functions: Callable[[], None]) -> None:
        threads = [threading.Thread(target=function) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("momentum", [0.1, None])
def test_two_uneven_halves_equal_the_whole(
    kind: type[nn.Module], momentum: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    values = 5 + 2 * torch.randn(SHAPES[kind], dtype=torch.float32)
    cotangent = torch.randn_like(values)
    whole: nn.Module = kind(4, momentum=momentum)
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.normal_()
    parts = []
    for _ in range(2):
        part = nn.Sequential(kind(4, momentum=momentum))
        part[0].load_state_dict(whole.state_dict())
        share_batch_norms(part)
        parts.append(part)
    inputs = [piece.clone().requires_grad_() for piece in values.split([6, 3])]
    outputs: list[Tensor] = [torch.empty(0)] * 2
    processes = TwoProcesses()
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed, "sum_across_ranks", processes.sum)

    def train(number: int) -> None:
        outputs[number] = parts[number](inputs[number])
        outputs[number].backward(cotangent.split([6, 3])[number])  # type: ignore[no-untyped-call]

    processes.run(lambda: train(0), lambda: train(1))
    expected_input = values.clone().requires_grad_()
    expected = whole(expected_input)
    expected.backward(cotangent)
    torch.testing.assert_close(torch.cat(outputs), expected, atol=1e-5, rtol=1e-5)
    assert expected_input.grad is not None
    found_gradient = torch.cat([piece.grad for piece in inputs if piece.grad is not None])
    torch.testing.assert_close(found_gradient, expected_input.grad, atol=1e-5, rtol=1e-5)
    for name, parameter in whole.named_parameters():
        halves = [part[0].get_parameter(name).grad for part in parts]
        torch.testing.assert_close(halves[0] + halves[1], parameter.grad, atol=1e-5, rtol=1e-5)
    for name, buffer in whole.named_buffers():
        for part in parts:
            torch.testing.assert_close(part[0].get_buffer(name), buffer, atol=1e-6, rtol=1e-5)


def test_alone_and_in_evaluation_it_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    original, values = nn.BatchNorm1d(4), torch.randn(5, 4)
    model = nn.Sequential(nn.BatchNorm1d(4))
    share_batch_norms(model)
    assert type(model[0]) is SharedBatchNorm
    assert torch.equal(model(values), original(values))
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    assert torch.equal(model.eval()(values), original.eval()(values))


def test_parameters_buffers_and_mode_stay() -> None:
    model = nn.Sequential(nn.Sequential(nn.BatchNorm2d(3, eps=0.1)).eval())
    before = dict(model.named_parameters()) | dict(model.named_buffers())
    share_batch_norms(model)
    after = dict(model.named_parameters()) | dict(model.named_buffers())
    assert before.keys() == after.keys() and all(after[name] is before[name] for name in before)
    shared = model[0][0]
    assert type(shared) is SharedBatchNorm and not shared.training and shared.eps == 0.1


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
