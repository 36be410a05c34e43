import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from vidrep_pipelines.training import distributed
from vidrep_pipelines.training.batch_norm import SharedBatchNorm, share_batch_norms

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
