import numpy as np
import pandas as pd
import pytest

from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.reconstruction.rate_distortion import budgets_of, summarize_rates

CONFIG = ReconstructionEvaluationConfig(resamples=200)
CLIPS = [(f"clip{number}", f"trajectory{number // 2}") for number in range(8)]


def tokenizer(name: str, psnr: float, seed: int = 0, budget: float = 0.5) -> pd.DataFrame:
    """Values of eight clips of four trajectories, a decibel apart."""
    return pd.DataFrame(
        {
            "contender": name,
            "rate": "fine" if budget > 0.3 else "coarse",
            "seed": seed,
            "budget": budget,
            "id": [clip for clip, _ in CLIPS],
            "trajectory": [trajectory for _, trajectory in CLIPS],
            "bits_per_pixel": budget,
            "entropy_bits_per_pixel": 0.8 * budget,
            "psnr": psnr + np.arange(8.0),
            "ssim": 0.5,
        }
    )


def floor(name: str, psnr: float, budget: float = 0.5) -> pd.DataFrame:
    columns = ["rate", "seed", "entropy_bits_per_pixel"]
    return tokenizer(name, psnr, budget=budget).drop(columns=columns).assign(bits_per_pixel=0.9 * budget)


def test_rates_of_tokenizers_are_among_those_of_floors() -> None:
    budgets = budgets_of([0.5, 0.2, 0.5], 4)
    assert {0.2, 0.5} <= set(budgets.tolist()) and len(budgets) == 6
    assert (np.diff(budgets) > 0).all() and budgets[0] < 0.2 and budgets[-1] == pytest.approx(1.5)


def test_the_best_floor_is_what_others_are_ahead_of() -> None:
    tokenizers = pd.concat([tokenizer("ema", 20.0), tokenizer("ema", 22.0, seed=1), tokenizer("fsq", 19.0)])
    floors = pd.concat([floor("jpeg", 18.0), floor("area", 19.5), floor("area", 30.0, budget=2.0)])
    summary = summarize_rates(tokenizers, floors, CONFIG)
    found = summary[summary["metric"] == "psnr"].set_index("contender")
    assert list(found.index) == ["ema", "fsq", "jpeg", "area"] and set(found["floor"]) == {"area"}
    ema = found.loc["ema"]
    assert (ema["value"], ema["seeds"], ema["seeds_low"], ema["seeds_high"]) == (24.5, 2, 23.5, 25.5)
    assert ema["low"] < ema["value"] < ema["high"] and ema["clips"] == 8
    assert (ema["ahead"], ema["ahead_low"], ema["ahead_high"]) == pytest.approx((1.5, 1.5, 1.5))
    assert found.loc["fsq", "ahead"] == pytest.approx(-0.5) and found.loc["area", "ahead"] == 0
    assert ema["entropy_bits_per_pixel"] == pytest.approx(0.4) and found.loc["jpeg", "bits_per_pixel"] == 0.45


def test_rates_come_in_the_order_of_their_bits_with_both_metrics() -> None:
    tokenizers = pd.concat([tokenizer("ema", 20.0), tokenizer("ema", 15.0, budget=0.125)])
    floors = pd.concat([floor("jpeg", 18.0), floor("jpeg", 14.0, budget=0.125)])
    summary = summarize_rates(tokenizers, floors, CONFIG)
    assert list(dict.fromkeys(summary["measure"])) == [
        f"{metric}, at {bits} bits per pixel" for bits in ("0.125", "0.5") for metric in ("PSNR, dB", "SSIM")
    ]
    assert list(dict.fromkeys(summary["rate"])) == ["coarse", "fine"]


def test_without_floors_and_of_one_trajectory_there_is_nothing_to_compare_with() -> None:
    alone = tokenizer("ema", 20.0).assign(trajectory="only")
    summary = summarize_rates(alone, floor("jpeg", 1.0).iloc[:0], CONFIG)
    assert summary[["low", "high", "ahead"]].isna().all(axis=None) and set(summary["floor"]) == {""}
