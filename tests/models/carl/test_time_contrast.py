import math

import pytest
import torch

from vidrep_pipelines.models.carl.time_contrast import time_contrast


def test_loss_is_that_of_n_pairs() -> None:
    videos = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    losses = []
    for video in videos.double().tolist():
        anchors, positives = video[0::2], video[1::2]
        for number, anchor in enumerate(anchors):
            scores = [sum(x * y for x, y in zip(anchor, other, strict=True)) for other in positives]
            contrast = math.log(sum(map(math.exp, scores))) - scores[number]
            lengths = sum(x * x for x in anchor) + sum(x * x for x in positives[number])
            losses.append(contrast + 0.25 * 0.5 * lengths)
    found = time_contrast(videos, norm_weight=0.5)
    assert found.item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_the_right_pairs_are_better() -> None:
    anchors = 4 * torch.eye(5)
    right = torch.stack([anchors, anchors], dim=1).flatten(0, 1)
    wrong = torch.stack([anchors, anchors.roll(1, 0)], dim=1).flatten(0, 1)
    assert time_contrast(right[None]) < 0.1 < time_contrast(wrong[None])
