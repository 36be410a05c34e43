"""Images, clips and streams behind one protocol."""

import torch
from torch import Tensor, nn

from vidrep_pipelines.evaluation.encoders.config import IMAGENET_MEAN, IMAGENET_STD, PixelEncoderConfig
from vidrep_pipelines.evaluation.encoders.floors import PixelEncoder
from vidrep_pipelines.evaluation.encoders.protocol import FrameByFrame, as_video_encoder


class Sums(nn.Module):
    """A stream: the features of a frame are the sum of all frames so far."""

    name, stride, window, mean, std = "sums", 4, 1, IMAGENET_MEAN, IMAGENET_STD

    def features(self, frames: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        sums = frames[..., ::4, ::4].cumsum(dim=1) + (0 if state is None else state[:, None])
        return sums, sums[:, -1]


def test_an_image_encoder_is_the_case_without_state() -> None:
    pixels = PixelEncoder("pixels", PixelEncoderConfig(patch_size=8, squares=2))
    video = as_video_encoder(pixels)
    assert isinstance(video, FrameByFrame)
    assert (video.name, video.stride, video.window) == ("pixels", 8, 1)
    assert (video.mean, video.std) == (IMAGENET_MEAN, IMAGENET_STD)
    frames = torch.randn(2, 3, 3, 16, 24)
    features, state = video.features(frames)
    assert state is None
    assert features.shape == (2, 3, 12, 2, 3)
    torch.testing.assert_close(features[1, 2], pixels.patch_features(frames[1, 2:])[0], rtol=0, atol=0)


def test_an_encoder_of_videos_is_itself() -> None:
    stream = Sums()
    assert as_video_encoder(stream) is stream
