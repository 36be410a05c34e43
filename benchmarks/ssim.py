"""SSIM by band matrices against unfolded windows."""

import torch

from benchmarks.reference.reconstruction_metrics_published import published_ssim
from benchmarks.timing import Result, interleave
from vidrep_pipelines.evaluation.reconstruction.psnr_ssim import structural_similarity

CLIPS, FRAMES, SIZE, ROUNDS = 2, 12, 64, 9
HOW = (
    f"SSIM of {CLIPS} clips of {FRAMES} frames of {SIZE}x{SIZE}, float32, one thread, interleaved, medians "
    f"of {ROUNDS} rounds; reference: every 11x11 window unfolded"
)


def run() -> dict[str, Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(CLIPS, FRAMES, 3, SIZE, SIZE, generator=generator)
    other = (real + 0.1 * torch.randn(real.shape, generator=generator)).clamp(0, 1)
    medians = interleave(
        lambda: structural_similarity(real, other),
        lambda: published_ssim(real.flatten(0, 1), other.flatten(0, 1)),
        ROUNDS,
    )
    torch.set_num_threads(threads)
    each = 1000 / CLIPS
    result = Result(
        ratio=medians.ratio,
        ours=medians.ours * each,
        reference=medians.reference * each,
        unit="milliseconds per clip",
        how=HOW,
    )
    return {"ssim": result}
