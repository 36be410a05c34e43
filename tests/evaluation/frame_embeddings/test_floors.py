"""What sees pictures without having learned, and what sees nothing; and a pause that tells them apart."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.helpers.frame_embeddings import labelled_videos, rising
from vidrep_pipelines.data.labelled_videos.inserted_pause import InsertedPause, InsertedPauseConfig
from vidrep_pipelines.evaluation.frame_embeddings.clock import Clock
from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig
from vidrep_pipelines.evaluation.frame_embeddings.floors import Chance, FramePixels, OneEncoder
from vidrep_pipelines.evaluation.frame_embeddings.measurement import measure_embeddings

VIDEOS = {f"{split}/pour_{n}": rising(10 + n, 10, 10) for split in ("train", "validation") for n in range(4)}
LABELLED = labelled_videos(VIDEOS)
CONFIG = PhasesConfig(
    stride=1, tasks=("phase_classification", "inserted_pause"), fractions=(1.0,), resamples=50
)


@given(st.integers(1, 300), st.floats(0, 0.99), st.floats(0.01, 3))
def test_a_pause_keeps_every_frame_and_repeats_one(length: int, start: float, share: float) -> None:
    pause = InsertedPause.of(length, InsertedPauseConfig(start=start, length=share))
    assert len(pause.ranks) == length + pause.frames
    np.testing.assert_array_equal(pause.ranks[pause.places], np.arange(length))
    inserted = np.delete(pause.ranks, pause.places)
    assert len(inserted) == pause.frames >= 1
    assert (inserted == pause.start).all()
    assert (np.diff(pause.ranks) >= 0).all()


@dataclass(frozen=True)
class Shown:
    """A bright frame in phase 1, on a background of the video's own."""

    ids: tuple[str, ...] = tuple(VIDEOS)
    content_digest: str = "0"

    def frames(self, view: str) -> NDArray[np.uint8]:
        """(T, 16, 16, 3)."""
        phases = np.array(VIDEOS[view])
        frames = np.full((len(phases), 16, 16, 3), 10 * self.ids.index(view), np.uint8)
        for phase in range(3):
            frames[phases == phase, 4 * phase : 4 * phase + 4] += 120
        return frames


def test_a_pause_leads_the_clock_astray_and_not_what_sees() -> None:
    pixels, clock = FramePixels(Shown(), 4), Clock(LABELLED)
    paused = {
        "pixels": FramePixels(Shown(), 4, CONFIG.pause),
        "clock": Clock(LABELLED, CONFIG.pause),
        "chance": Chance(LABELLED),
    }
    encoders = {"pixels": pixels, "clock": clock, "chance": Chance(LABELLED)}
    summary = measure_embeddings(LABELLED, encoders, CONFIG, paused=paused).summary
    values = summary.set_index(["measure", "encoder"])["value"]
    for encoder in encoders:
        before, after = (
            values[name, encoder] for name in ("phase_classification_100", "inserted_pause_phases")
        )
        assert values["inserted_pause_drop", encoder] == pytest.approx(before - after)
    assert values["phase_classification_100", "pixels"] == 1
    assert values["inserted_pause_drop", "pixels"] == 0
    assert values["phase_classification_100", "clock"] > 0.8
    assert values["inserted_pause_drop", "clock"] > 0.15
    assert values["inserted_pause_drop", "chance"] == 0
    assert values["phase_classification_100", "chance"] < 0.6


def test_pixels_know_no_background_that_stays() -> None:
    pixels = FramePixels(Shown(), 4)
    first, other = pixels.of("train/pour_0"), pixels.of("validation/pour_0")
    assert first.shape == (30, 48)
    np.testing.assert_allclose(first, other, atol=1e-12)
    assert pixels.content_digest != FramePixels(Shown(), 4, CONFIG.pause).content_digest


def test_embeddings_of_several_encoders_lie_side_by_side() -> None:
    labelled = labelled_videos({"trained/train/a": [0, 1], "untrained/train/a": [0, 1, 1]})
    one = OneEncoder(Chance(labelled), "untrained")
    assert one.ids == ["train/a"]
    assert len(one.of("train/a")) == 3
    assert one.content_digest != OneEncoder(Chance(labelled), "trained").content_digest


def test_without_embeddings_of_paused_videos_the_pause_is_not_measured() -> None:
    summary = measure_embeddings(LABELLED, {"clock": Clock(LABELLED)}, CONFIG).summary
    assert set(summary["measure"]) == {"phase_classification_100"}
