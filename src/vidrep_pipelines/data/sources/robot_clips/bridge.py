"""BridgeData V2 as its raw release: a folder of pictures and pickles per trajectory.

``<any folders>/<date>/raw/traj_group<g>/traj<n>/`` holds ``images<camera>/im_<frame>.jpg``, ``obs_dict.pkl``,
whose ``full_state`` is (T, 7), ``policy_out.pkl``, a list of ``actions`` (7,), and ``lang.txt``. The pickles
are read without running them. Source: Walke et al., "BridgeData V2" (arXiv 2308.12952).
"""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vidrep_pipelines.common.array_pickle import load_array_pickle
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_text import read_foreign_lines
from vidrep_pipelines.common.item_id import is_usable
from vidrep_pipelines.data.files.foreign_listing import files_by_stem, list_folders
from vidrep_pipelines.data.frame_store.episode import Episode, EpisodeAnnotations, EpisodeView
from vidrep_pipelines.data.sources.robot_clips.clip import (
    Rows,
    counted,
    decoded_image,
    instruction_segments,
    number_rows,
    require_length,
    stamp_of,
)

FRAMES_PER_SECOND = 5.0
"""The robot is controlled at this rate, and one picture is kept per action."""

LATENCY_UNTIL = "2021-07-23"
"""Recordings before this day have pictures that are one step late (the authors' own conversion says so)."""

_READING = 1
_CAMERA = re.compile(r"images(\d{1,2})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}_\d{2}-\d{2}-\d{2}")
_SUFFIXES = (".jpg", ".jpeg", ".png")
_STATES, _ACTIONS, _LANGUAGE = "obs_dict.pkl", "policy_out.pkl", "lang.txt"
_REMEDY = "Remedy: unpack the archive again, or leave the trajectory out."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BridgeTrajectory:
    """One trajectory.

    Attributes:
        trajectory: ``<data set>/`` and its path below the folder that was listed.
        folder: Its folder.
        robot: Name of the data set.
        split: None: the raw release has no splits.
        stamp: Tells versions of its files apart.
        cameras: Read only these; empty: all.
        late: Whether its pictures are one step late: then the first step and the last action are left out.
    """

    trajectory: str
    folder: Path
    robot: str = "bridge"
    split: str | None = None
    stamp: str = ""
    cameras: tuple[int, ...] = ()
    late: bool = False

    @property
    def digest(self) -> str:
        """Changes with stamp and options; the path does not count, so that a folder may be moved."""
        return digest_of(_READING, self.stamp, self.robot, self.cameras, self.late)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Reads states, actions and language; pictures are read one by one.

        Raises:
            InputError: A file is missing or damaged, there is no instruction, or lengths differ.
        """
        cameras = self._cameras()
        frames = len(next(iter(cameras.values())))
        states, actions = self._controls(frames)
        skipped = int(self.late)
        segments = instruction_segments(
            _instructions(self.folder / _LANGUAGE), frames - skipped, str(self.folder)
        )
        views = [
            EpisodeView(camera, frames - skipped, self._pictures(camera, paths, frames))
            for camera, paths in cameras.items()
        ]
        annotations = EpisodeAnnotations(segments, frames_per_second=FRAMES_PER_SECOND)
        yield Episode(self.robot, views, states, actions, annotations=annotations)

    def _cameras(self) -> dict[int, list[Path]]:
        folders = _camera_folders(self.folder)
        wanted = {
            camera: path for camera, path in folders.items() if camera in self.cameras or not self.cameras
        }
        if not wanted:
            raise InputError(f"{self.folder} has the cameras {list(folders)}, none of {list(self.cameras)}.")
        return {camera: _frame_files(path) for camera, path in wanted.items()}

    def _controls(self, frames: int) -> tuple[Rows, Rows]:
        states = _full_states(self.folder / _STATES)
        require_length(states, [frames], f"{self.folder / _STATES}: full_state")
        actions = _actions(self.folder / _ACTIONS)
        require_length(actions, [frames - 1, frames], f"{self.folder / _ACTIONS}: actions")
        actions = actions[: frames - 1]
        return (states[1:], actions[:-1]) if self.late else (states, actions)

    def _pictures(self, camera: int, paths: list[Path], frames: int) -> Iterator[Pixels]:
        pictures = (decoded_image(path, path.name) for path in paths[int(self.late) :])
        return counted(pictures, frames - int(self.late), self.folder / f"images{camera}")


def list_bridge(
    folder: Path, name: str | None = None, *, cameras: tuple[int, ...] = (), latency: bool = True
) -> list[BridgeTrajectory]:
    """All trajectories below a folder that have an instruction; about half of the release has none.

    Args:
        folder: Any folder above trajectories.
        name: Name of the data set; None: ``bridge``.
        cameras: Read only these; empty: all.
        latency: Whether pictures of the first recordings are known to be late, see ``LATENCY_UNTIL``.

    Raises:
        InputError: There is no such trajectory below it.
    """
    label = name or "bridge"
    folders = list(_trajectory_folders(folder))
    spoken = [path for path in folders if (path / _LANGUAGE).is_file()]
    if len(spoken) < len(folders):
        _log.warning(
            "%s: %d of %d trajectories have no lang.txt; left out.",
            folder,
            len(folders) - len(spoken),
            len(folders),
        )
    trajectories = [
        BridgeTrajectory(
            trajectory=f"{label}/{path.relative_to(folder).as_posix()}",
            folder=path,
            robot=label,
            stamp=_stamp(path),
            cameras=cameras,
            late=latency and _is_early(path),
        )
        for path in spoken
    ]
    usable = [one for one in trajectories if is_usable(one.trajectory)]
    if not usable:
        raise InputError(
            f"There is no trajectory with language below {folder} (traj_group<g>/traj<n>/lang.txt; "
            f"{len(folders)} without). Remedy: name the folder of the raw release."
        )
    return usable


def _trajectory_folders(folder: Path) -> Iterator[Path]:
    """Folders ``traj_group<g>/traj<n>`` at any depth; links are not followed."""
    for path in list_folders(folder):
        if path.is_symlink():
            continue
        if path.name.startswith("traj") and folder.name.startswith("traj_group"):
            yield path
        else:
            yield from _trajectory_folders(path)


def _is_early(path: Path) -> bool:
    """Whether the dated folder above is of the days with latency; ISO dates sort as text."""
    dated = next((above.name for above in path.parents if _DATE.fullmatch(above.name)), None)
    return dated is not None and dated < LATENCY_UNTIL


def _stamp(path: Path) -> str:
    """Of the three files, and of the folders of pictures: a release has millions of pictures."""
    return stamp_of([path / _STATES, path / _ACTIONS, path / _LANGUAGE, *_camera_folders(path).values()])


def _camera_folders(folder: Path) -> dict[int, Path]:
    """``images0``, ``images1``, ...; not ``depth_images0``."""
    matched = [(path, _CAMERA.fullmatch(path.name)) for path in list_folders(folder)]
    return {int(match[1]): path for path, match in matched if match is not None}


def _frame_files(folder: Path) -> list[Path]:
    """``im_0.jpg``, ``im_1.jpg``, ... without a gap."""
    files = files_by_stem(folder, _SUFFIXES)
    paths = [files[stem] for number in range(len(files)) if (stem := f"im_{number}") in files]
    if not paths or len(paths) < len(files):
        raise InputError(
            f"{folder} has {len(files)} pictures, of which im_0, im_1, ... {len(paths)} follow one another. "
            f"{_REMEDY}"
        )
    return paths


def _instructions(path: Path) -> list[str]:
    """The lines of the file but that of the annotator's confidence."""
    lines = [line.text for line in read_foreign_lines(path, _REMEDY)]
    return [line for line in lines if not line.lower().startswith("confidence")]


def _full_states(path: Path) -> Rows:
    content = load_array_pickle(path)
    if not isinstance(content, Mapping) or "full_state" not in content:
        raise InputError(f"{path} has no full_state. {_REMEDY}")
    return number_rows(content["full_state"], f"{path}: full_state")


def _actions(path: Path) -> Rows:
    """A list of arrays, or of objects that hold one."""
    content = load_array_pickle(path)
    if not isinstance(content, list) or not content:
        raise InputError(f"{path} is no list of actions. {_REMEDY}")
    steps = [step.get("actions") if isinstance(step, Mapping) else step for step in content]
    return number_rows(steps, f"{path}: actions")
