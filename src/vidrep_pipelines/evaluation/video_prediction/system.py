"""What a text-guided video model must offer to be measured, and the floors that it is measured against."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vidrep_pipelines.common.errors import InputError

Predict = Callable[[Tensor, Sequence[str], Sequence[int]], Tensor]
"""From first frames (N, 3, H, W) in 0..1, N instructions and N seeds to videos (N, F, 3, H, W) in 0..1, whose
first frame is the given one as the model sees it."""

RoundTrip = Callable[[Tensor], Tensor]
"""From pictures (N, 3, H, W) in 0..1 to what is left of them after encoding and decoding."""

NoiseLosses = Callable[[Tensor, Sequence[str], Sequence[int]], Mapping[str, Tensor]]
"""From videos (N, F, 3, H, W) in 0..1, N instructions and N seeds to the loss (N, Q) at each noise level, of
``model`` and of ``without_text``, with the same noise."""

MODEL, WITHOUT_TEXT, FIRST_FRAME, CODEC = "model", "without_text", "first_frame", "codec"
PREDICTORS = (MODEL, WITHOUT_TEXT, FIRST_FRAME, CODEC)
"""The model; two floors: the same model without the instruction, and a copy of the first frame; and a
ceiling: the truth, encoded and decoded."""


@dataclass(frozen=True)
class MeasuredSystem:
    """A trained model behind plain functions.

    Attributes:
        digest: Changes with the weights, the codec and how videos are sampled.
        frames: F, frames of a video, the given one included.
        predict: Predicts by instruction.
        predict_without_text: Predicts without; the instructions are not looked at.
        round_trip: Encodes and decodes pictures.
        noise_losses: The training loss at each of ``noise_levels``, with and without text.
        noise_levels: Standard deviations of the noise, ascending.
    """

    digest: str
    frames: int
    predict: Predict
    predict_without_text: Predict
    round_trip: RoundTrip
    noise_losses: NoiseLosses
    noise_levels: tuple[float, ...]


def predictions_of(
    system: MeasuredSystem, truth: Tensor, texts: Sequence[str], seeds: Sequence[int]
) -> Mapping[str, Tensor]:
    """What the model, the floors and the ceiling make of the same clips.

    Args:
        system: The model.
        truth: (N, F, 3, H, W) in 0..1.
        texts: N instructions.
        seeds: N seeds of the sampling.

    Returns:
        For each of ``PREDICTORS`` (N, F, 3, H, W).

    Raises:
        InputError: A predicted video has another size than the truth.
    """
    first = truth[:, 0]
    videos = {
        MODEL: system.predict(first, texts, seeds),
        WITHOUT_TEXT: system.predict_without_text(first, texts, seeds),
        FIRST_FRAME: first[:, None].expand_as(truth),
        CODEC: system.round_trip(truth.flatten(0, 1)).reshape_as(truth),
    }
    for name, video in videos.items():
        if video.shape != truth.shape:
            raise InputError(
                f"Predicted videos ({name}) are {tuple(video.shape)}, true ones {tuple(truth.shape)}. "
                "Remedy: use frames of the size, and clips of the length, that the model was trained with."
            )
    return {name: video.to(truth.device, torch.float32) for name, video in videos.items()}
