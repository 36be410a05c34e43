from pathlib import Path

import pytest

from tests.helpers.robot_clips import write_instance
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.robot_clips.annotation import published_latents, read_clip_annotation


@pytest.fixture
def bridge(tmp_path: Path) -> Path:
    """A data set of one clip with latents."""
    write_instance(tmp_path / "bridge", "train", "7", latents=True)
    return tmp_path / "bridge"


@pytest.mark.parametrize("said", ["latent_videos", "latent_videos_svd"])
@pytest.mark.parametrize("there", ["latent_videos", "latent_videos_svd"])
def test_either_name_of_the_folder_of_latents_is_found(bridge: Path, said: str, there: str) -> None:
    path = write_instance(
        bridge,
        "train",
        "7",
        changes={"latent_videos": [{"latent_video_path": f"{said}/train/7/0.pt"}]},
    )
    (bridge / "latent_videos_svd").rename(bridge / there)
    assert published_latents(path) == {0: bridge / there / "train/7/0.pt"}


def test_what_is_not_there_has_no_latents(bridge: Path) -> None:
    (bridge / "latent_videos_svd/train/7/0.pt").unlink()
    assert published_latents(bridge / "annotation/train/7.json") == {}
    path = write_instance(bridge, "train", "7", changes={"latent_videos": None})
    assert published_latents(path) == {}


def test_latents_outside_of_the_data_set_are_refused(bridge: Path) -> None:
    changes = {"latent_videos": [{"latent_video_path": "latent_videos/../../0.pt"}]}
    path = write_instance(bridge, "train", "7", changes=changes)
    with pytest.raises(InputError, match="where a path inside bridge is expected"):
        published_latents(path)


def test_commands_are_told_from_steps(tmp_path: Path) -> None:
    steps, commands = (
        read_clip_annotation(write_instance(tmp_path / kind, "train", "0")) for kind in ("bridge", "xhand")
    )
    assert not steps.has_absolute_actions
    assert commands.has_absolute_actions
    assert commands.identifier == "id-0"


def test_cameras_of_one_number_are_counted(tmp_path: Path) -> None:
    listed = [{"video_path": "videos/train/0/0.mp4"}, {"video_path": "videos/a/0/0.mp4"}]
    path = write_instance(tmp_path / "xhand", "train", "0", changes={"videos": listed})
    videos = read_clip_annotation(path).videos()
    assert videos == {number: path.parents[2] / one["video_path"] for number, one in enumerate(listed)}
