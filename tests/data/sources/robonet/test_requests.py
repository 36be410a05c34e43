import random
from pathlib import Path

import pandas as pd
import pytest

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.video_episode import VideoEpisode
from vidrep_pipelines.data.sources.robonet.config import RoboNetConfig
from vidrep_pipelines.data.sources.robonet.requests import RenderedVideo, trajectory_requests, video_requests

NAMES = [f"lab_{'kuka' if number % 2 else 'sawyer'}_traj{number}" for number in range(6)]
LISTING = pd.DataFrame(
    {"id": NAMES, "path": [f"/raw/{name}.hdf5" for name in NAMES], "bytes": 1, "mtime_ns": 2}
)
METADATA = pd.DataFrame({"id": NAMES, "status": "ok", "robot": ["sawyer", "kuka"] * 3})


def names(config: RoboNetConfig, metadata: pd.DataFrame = METADATA) -> list[str]:
    return [request.id for request in trajectory_requests(LISTING, metadata, config, FramesConfig())]


def test_robots_are_selected() -> None:
    assert names(RoboNetConfig(robots=("kuka",))) == NAMES[1::2] == sorted(NAMES)[:3]


def test_files_that_could_not_be_read_are_left_out() -> None:
    metadata = METADATA.assign(status=["ok", "failed"] * 3)
    assert names(RoboNetConfig(), metadata) == NAMES[::2]


def test_drawn_trajectories_follow_the_seed() -> None:
    shuffled = sorted(NAMES)
    random.Random(5).shuffle(shuffled)
    assert names(RoboNetConfig(trajectories=2, seed=5)) == sorted(shuffled[:2])


def test_no_such_robot() -> None:
    with pytest.raises(ConfigurationError, match=r"'baxter'.*\['kuka', 'sawyer'\]"):
        names(RoboNetConfig(robots=("baxter",)))


def test_colors_of_single_sources() -> None:
    config = RoboNetConfig(jpeg_colors_of={"lab_kuka": "bgr"})
    requests = trajectory_requests(LISTING, METADATA, config, FramesConfig())
    colors = {request.source.jpeg_colors for request in requests if "kuka" in request.id}  # type: ignore[attr-defined]
    assert colors == {"bgr"}
    assert config.colors_of("folder/lab_sawyer_traj0") == "rgb"


def test_digest_covers_file_and_frames() -> None:
    first = trajectory_requests(LISTING, METADATA, RoboNetConfig(), FramesConfig())[0]
    changed = trajectory_requests(LISTING.assign(bytes=9), METADATA, RoboNetConfig(), FramesConfig())[0]
    larger = trajectory_requests(LISTING, METADATA, RoboNetConfig(), FramesConfig(height=32))[0]
    assert len({first.digest, changed.digest, larger.digest}) == 3


VIDEOS = LISTING.assign(class_name="pour", etag=None)


def test_rendered_videos_are_known_by_what_made_them_others_by_their_version() -> None:
    known, moved = (
        RenderedVideo(Path(f"/{folder}/{NAMES[0]}.hdf5"), Path("/a.h5"), "d") for folder in ("raw", "x")
    )
    rendered = {NAMES[0]: known, NAMES[1]: moved}
    requests = video_requests(VIDEOS, set(NAMES[:3]), rendered, FramesConfig())
    path = Path(VIDEOS["path"][0])
    assert requests[0].source == VideoEpisode(NAMES[0], path, "pour", Path("/a.h5"), "d")
    assert [request.source.stamp for request in requests[1:]] == ["1-2", "1-2"]  # type: ignore[attr-defined]
    stored = video_requests(VIDEOS.assign(etag="mark"), {NAMES[0]}, {}, FramesConfig())
    assert stored[0].source == VideoEpisode(NAMES[0], path, "pour", None, "mark")


def test_no_video_can_be_opened() -> None:
    with pytest.raises(ConfigurationError, match="None of 6 videos can be opened"):
        video_requests(VIDEOS, set(), {}, FramesConfig())
