"""Peak signal-to-noise ratio."""

from torch import Tensor


def peak_signal_to_noise_ratio(real: Tensor, reconstruction: Tensor) -> Tensor:
    """10 log10(1 / MSE) per frame, in decibels.

    Frames are measured one by one: the ratio of a whole clip is another number, dominated by its worst frame.

    Args:
        real: (..., C, H, W) in 0..1.
        reconstruction: The same shape.

    Returns:
        (...); infinite for identical frames.
    """
    errors = (real.double() - reconstruction.double()).square().mean((-3, -2, -1))
    return (-10 * errors.log10()).to(real.dtype)
