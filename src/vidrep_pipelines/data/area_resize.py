"""Resizing whole frames by area averaging, exact to the bit.

Libraries do not agree on "area": only OpenCV's rule averages what a new pixel really covers. It is computed
here in whole numbers, so that the result is the same on every machine. Pictures that have to grow are
interpolated bicubically, as the published preparation of RoboNet does.
"""

from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from vidrep_pipelines.common.arrays import Pixels

_LARGEST_INT32 = 2**31


def resize_frame(frame: Pixels, height: int, width: int) -> Pixels:
    """Resizes one picture; the aspect ratio is not kept.

    Args:
        frame: (H, W, 3) uint8.
        height: Height of the result in pixels.
        width: Width of the result in pixels.

    Returns:
        (height, width, 3) uint8: the frame itself if it has this size, averaged areas if the result has fewer
        pixels, else bicubic interpolation.
    """
    if frame.shape[:2] == (height, width):
        return frame
    if height * width < frame.shape[0] * frame.shape[1]:
        return average_areas(frame, height, width)
    return _interpolate(frame, height, width)


def average_areas(frame: Pixels, height: int, width: int) -> Pixels:
    """Gives every new pixel the mean of the area that it covers, halves rounded to even (``INTER_AREA``).

    Args:
        frame: (H, W, C) uint8.
        height: Height of the result in pixels.
        width: Width of the result in pixels.

    Returns:
        (height, width, C) uint8.
    """
    H, W, C = frame.shape
    exact = np.dtype(np.int32 if 255 * H * W < _LARGEST_INT32 else np.int64)
    rows = _overlaps(H, height, exact) @ frame.reshape(H, W * C).astype(exact)
    columns = rows.reshape(height, W, C).transpose(1, 0, 2).reshape(W, height * C)
    sums = _overlaps(W, width, exact) @ columns
    means = np.rint(sums / (H * W)).astype(np.uint8)
    return np.ascontiguousarray(means.reshape(width, height, C).transpose(1, 0, 2))


@lru_cache(maxsize=16)
def _overlaps(source: int, target: int, kind: "np.dtype[np.signedinteger]") -> csr_array:
    """(target, source) overlaps of new with old pixels, in 1 / target of an old pixel; rows sum to source.

    The edges of the old and of the new pixels cut the line into pieces that belong to one of each.
    """
    edges = np.union1d(np.arange(target + 1) * source, np.arange(source + 1) * target)
    starts, lengths = edges[:-1], np.diff(edges)
    return csr_array((lengths.astype(kind), (starts // source, starts // target)), shape=(target, source))


def _interpolate(frame: Pixels, height: int, width: int) -> Pixels:
    import torch  # noqa: PLC0415 (seconds per worker process; most sources are larger than the result)
    from torch.nn import functional  # noqa: PLC0415

    picture = torch.tensor(frame).permute(2, 0, 1)[None].float()
    enlarged = functional.interpolate(picture, (height, width), mode="bicubic", align_corners=False)
    result: Pixels = enlarged[0].round().clamp(0, 255).permute(1, 2, 0).to(torch.uint8).contiguous().numpy()
    return result
