import numpy as np
import pandas as pd
import pytest
from PIL import Image

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.reporting.rate_distortion import (
    CodedPicture,
    codec_grid,
    rate_distortion_chart,
    stacked,
)

RATES = {"coarse": 0.1, "fine": 0.6}
SUMMARY = pd.DataFrame(
    [
        (metric, name, 20.0 + 10 * bits, 19.0 + 10 * bits, 21.5 + 10 * bits, bits, 0.8 * bits)
        for metric in ("psnr", "ssim")
        for name in ("ema", "fsq", "jpeg")
        for bits in RATES.values()
    ],
    columns=["metric", "contender", "value", "low", "high", "bits_per_pixel", "entropy_bits_per_pixel"],
)
FLOORS = pd.DataFrame(
    [("jpeg", bits, bits, 18.0 + 9 * bits, 0.5) for bits in (0.05, 0.6, 2.0)],
    columns=["contender", "budget", "bits_per_pixel", "psnr", "ssim"],
)
RUNS = pd.DataFrame(
    [(name, rate, 0.9) for name in ("ema", "fsq") for rate in RATES],
    columns=["contender", "rate", "codebook_use"],
)


def difference(first: Image.Image, second: Image.Image) -> float:
    return float(np.abs(np.asarray(first, float) - np.asarray(second, float)).mean())


def test_tokenizers_floors_and_use_are_drawn() -> None:
    whole = rate_distortion_chart(SUMMARY, FLOORS, RUNS)
    less_used = rate_distortion_chart(SUMMARY, FLOORS, RUNS.assign(codebook_use=0.2))
    worse = rate_distortion_chart(SUMMARY.assign(value=SUMMARY["low"]), FLOORS, RUNS)
    other_floor = rate_distortion_chart(SUMMARY, FLOORS.assign(psnr=15.0), RUNS)
    assert min(difference(whole, other) for other in (less_used, worse, other_floor)) > 0.05
    with pytest.raises(InputError, match="no tokenizer"):
        rate_distortion_chart(SUMMARY, FLOORS, RUNS.iloc[:0])


def test_a_floor_that_takes_more_bits_than_it_may_is_not_drawn() -> None:
    beyond = pd.concat([FLOORS, FLOORS.iloc[:1].assign(budget=0.01, psnr=17.0)])
    assert difference(*(rate_distortion_chart(SUMMARY, rows, RUNS) for rows in (FLOORS, beyond))) == 0


def test_a_frame_in_rows_of_rates() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    coded = CodedPicture(frame // 2, 0.1)
    one = codec_grid(frame, {"0.1 bits": {"ema": coded, "jpeg": coded}})
    two = codec_grid(frame, {"0.1 bits": {"ema": coded, "jpeg": coded}, "0.6 bits": {"ema": coded}})
    assert two.height > 1.8 * one.height - 60 and two.width == one.width
    both = stacked([one, two])
    assert (both.width, both.height) == (one.width, one.height + two.height)
