from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.data.sample_world.clips import clip_requests, clip_specs
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 5))
def test_more_clips_leave_the_earlier_ones_as_they_are(few: int, more: int, seed: int) -> None:
    short = clip_requests(SampleWorldConfig(clips=few, seed=seed))
    long = clip_requests(SampleWorldConfig(clips=few + more, seed=seed))
    assert [request.spec for request in short] == [request.spec for request in long[:few]]
    assert [request.digest for request in short] == [request.digest for request in long[:few]]


@given(st.integers(1, 60), st.integers(0, 2**31))
def test_clips_are_distinct_and_within_bounds(clips: int, seed: int) -> None:
    config = SampleWorldConfig(clips=clips, seed=seed)
    specs = clip_specs(config)
    assert len({spec.id for spec in specs}) == len({spec.seed for spec in specs}) == clips
    for spec in specs:
        assert spec.id.split("/")[0] == spec.activity
        assert config.frames_min <= spec.frames <= config.frames_max


def test_digest_follows_what_is_rendered() -> None:
    base = clip_requests(SampleWorldConfig())[0]
    assert clip_requests(SampleWorldConfig(sensor_noise=1))[0].digest != base.digest
    assert clip_requests(SampleWorldConfig(seed=1))[0].digest != base.digest


def test_activities_can_be_chosen() -> None:
    specs = clip_specs(SampleWorldConfig(clips=4, activities=("wave", "pour")))
    assert [spec.id for spec in specs] == ["wave/wave_000", "pour/pour_000", "wave/wave_001", "pour/pour_001"]
