from pathlib import Path

import pytest
import torch

from tests.models.vpp.policy.trained import demonstrations, make_policy_task
from vidrep_pipelines.models.vpp.policy.task import PolicyTask
from vidrep_pipelines.models.vpp.policy.validation import PolicyValidation


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> PolicyTask:
    folder = tmp_path_factory.mktemp("validation")
    held_out = make_policy_task(demonstrations(folder), folder / "features").on_split("validation")
    assert held_out is not None
    return held_out


def test_measures_are_repeatable_and_do_not_depend_on_the_batch(task: PolicyTask, tmp_path: Path) -> None:
    model = task.build_model().eval()
    small, large = (PolicyValidation(task=task, items=4, batch_size=size) for size in (3, 64))
    first, second = small.measure(model), large.measure(model)
    assert first.keys() == {"loss", "action_error", "mean_action_error"}
    for name, value in first.items():
        assert second[name] == pytest.approx(value, rel=1e-4), name


def test_the_mean_action_is_the_floor(task: PolicyTask) -> None:
    validation = PolicyValidation(task=task, items=4)
    truth = task.sampled_actions(task.build_model().eval(), task.fixed_items(4)).truth
    expected = float((truth - truth.mean(dim=(0, 1))).square().mean())
    measured = validation.measure(task.build_model().eval())
    assert measured["mean_action_error"] == pytest.approx(expected, rel=1e-5)
    assert measured["action_error"] > measured["mean_action_error"], "untrained, it knows nothing"


def test_a_better_model_is_measured_better(task: PolicyTask) -> None:
    model = task.build_model().eval()
    before = PolicyValidation(task=task, items=4).measure(model)["loss"]
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    dataset = task.build_dataset()
    batch = torch.utils.data.default_collate([dataset[0, index] for index in range(4)])
    from vidrep_pipelines.training.task import StepInfo

    for _ in range(30):
        optimizer.zero_grad()
        loss, _ = task.loss(model, batch, StepInfo(0, 0.0, torch.Tensor.detach))
        loss.backward()
        optimizer.step()
    assert PolicyValidation(task=task, items=4).measure(model)["loss"] < 0.8 * before
