import torch
from torch.nn import functional

from vidrep_pipelines.models.carl.frame_classification import frame_classification


def test_only_real_labelled_frames_count() -> None:
    logits = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.tensor([[0, 1, -1, 2], [2, -1, 0, 1]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    chosen = [(0, 0), (0, 1), (1, 0), (1, 2), (1, 3)]
    expected = [functional.cross_entropy(logits[place], labels[place]) for place in chosen]
    loss, accuracy = frame_classification(logits, labels, mask)
    torch.testing.assert_close(loss, torch.stack(expected).mean())
    right = [float(logits[place].argmax() == labels[place]) for place in chosen]
    torch.testing.assert_close(accuracy, torch.tensor(right).mean())
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None and not logits.grad[0, 2:].any()


def test_a_batch_without_labels_has_no_loss() -> None:
    loss, accuracy = frame_classification(torch.randn(1, 3, 2), torch.full((1, 3), -1), torch.ones(1, 3))
    assert loss == 0 and accuracy == 0
