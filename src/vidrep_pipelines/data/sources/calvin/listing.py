"""Which episodes a folder of CALVIN's holds."""

import logging
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.array_pickle import load_array_pickle
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_number import whole_number
from vidrep_pipelines.common.npz import read_npy
from vidrep_pipelines.data.sources.calvin.episodes import CalvinAnnotation, CalvinEpisode, CalvinOptions

SPLIT_FOLDERS = {"training": "train", "validation": "validation"}
"""CALVIN's folders, and the splits that they are."""

_ANNOTATIONS = "auto_lang_ann.npy"
_RECORDINGS = "ep_start_end_ids.npy"
_STEP = re.compile(r"episode_([0-9]{1,18})\.npz")
_LAST_STEP = 10**15

_log = logging.getLogger(__name__)


def list_calvin_episodes(
    folder: Path, options: CalvinOptions | None = None, name: str = "calvin"
) -> list[CalvinEpisode]:
    """The episodes of both splits, as far as they are there: one for each instruction, in the file's order.

    Args:
        folder: Holds ``training``, ``validation`` or both, such as ``task_ABC_D``.
        options: What is read, and whether recordings are listed whole.
        name: The data set's name, by which results are reported.

    Raises:
        InputError: There is no such folder, no time step in it, or its lists cannot be read.
    """
    options = options or CalvinOptions()
    there = [split for split in SPLIT_FOLDERS if (folder / split).is_dir()]
    if not there:
        raise InputError(
            f"{folder} holds neither training nor validation. Remedy: name an unpacked folder of CALVIN, "
            "such as task_D_D or calvin_debug_dataset."
        )
    return [episode for split in there for episode in _split_episodes(folder / split, options, name)]


def _split_episodes(folder: Path, options: CalvinOptions, name: str) -> list[CalvinEpisode]:
    digits, split = _digits(folder), SPLIT_FOLDERS[folder.name]
    if options.unannotated:
        return _recordings(folder, digits, options, name)
    episodes = []
    for number, (pair, text, task) in enumerate(_entries(_annotation_file(folder, options))):
        trajectory = f"{name}/{folder.name}/{number:05d}"
        try:
            annotation = _annotation(pair, text, task, f"{folder}: the instruction {number}")
        except InputError as error:  # it fails alone, when it is opened
            episodes.append(CalvinEpisode(trajectory, folder, 0, 0, split=split, problem=str(error)))
            continue
        first, last = annotation.first, annotation.last
        trajectory = f"{trajectory}_{first:0{digits}d}_{last:0{digits}d}"
        episodes.append(
            CalvinEpisode(trajectory, folder, first, last, (annotation,), split, digits, options, name)
        )
    return episodes


def _recordings(folder: Path, digits: int, options: CalvinOptions, name: str) -> list[CalvinEpisode]:
    """Whole recordings with the instructions that lie inside them."""
    annotations = _all_annotations(folder, options)
    episodes, placed = [], 0
    for first, last in _recording_steps(folder / _RECORDINGS).tolist():
        inside = tuple(one for one in annotations if first <= one.first and one.last <= last)
        placed += len(inside)
        trajectory = f"{name}/{folder.name}/{first:0{digits}d}_{last:0{digits}d}"
        split = SPLIT_FOLDERS[folder.name]
        episodes.append(CalvinEpisode(trajectory, folder, first, last, inside, split, digits, options, name))
    if placed < len(annotations):
        _log.warning(
            "%s: %d of %d instructions lie in no recording and are left out.",
            folder,
            len(annotations) - placed,
            len(annotations),
        )
    return episodes


def _all_annotations(folder: Path, options: CalvinOptions) -> list[CalvinAnnotation]:
    """The usable ones of a split, if it has any; recordings may go without."""
    path = next((place for place in _annotation_places(folder, options) if place.is_file()), None)
    annotations = []
    for number, entry in enumerate([] if path is None else _entries(path)):
        try:
            annotations.append(_annotation(*entry, f"{path}: the instruction {number}"))
        except InputError as error:
            _log.warning("%s It is left out.", error)
    return annotations


def _annotation_places(folder: Path, options: CalvinOptions) -> list[Path]:
    """Where instructions may be: in the folder that is named, or beside the time steps."""
    return [folder / options.language_folder / _ANNOTATIONS, folder / _ANNOTATIONS]


def _annotation_file(folder: Path, options: CalvinOptions) -> Path:
    places = _annotation_places(folder, options)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise InputError(
            f"There are no instructions: neither {places[0]} nor {places[1]} exists. Remedy: name the folder "
            "by language_folder, or list whole recordings with unannotated: true."
        )
    return path


def _entries(path: Path) -> list[tuple[Any, Any, Any]]:
    """Pair of steps, text and task of every instruction, as they were read."""
    content = load_array_pickle(path)
    try:
        language, pairs = content["language"], content["info"]["indx"]
        texts, tasks = language["ann"], language.get("task")
        columns = [list(column) for column in (pairs, texts, [""] * len(texts) if tasks is None else tasks)]
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} holds no instructions in CALVIN's layout ({error!r}). Remedy: the file as it was "
            "published, with language.ann, language.task and info.indx."
        ) from error
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise InputError(
            f"{path}: info.indx, language.ann and language.task have {lengths} entries. Remedy: the file as "
            "it was published."
        )
    return list(zip(*columns, strict=True))


def _annotation(pair: Any, text: Any, task: Any, what: str) -> CalvinAnnotation:
    """Raises InputError if the steps are no stretch, or a text is none; whether it is empty shows later."""
    try:
        first, last = pair
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} has the steps {pair!r:.80}, where a pair is expected.") from error
    first = whole_number(first, f"{what}: its first step", 0, _LAST_STEP)
    last = whole_number(last, f"{what}: its last step", first, _LAST_STEP)
    if not isinstance(text, str) or not isinstance(task, str):
        raise InputError(f"{what} is {text!r:.80} with the task {task!r:.80}, where texts are expected.")
    return CalvinAnnotation(first, last, str(text), str(task))


def _recording_steps(path: Path) -> NDArray[np.int64]:
    """(N, 2) first and last step of each recording."""
    steps = read_npy(path, "list of recordings") if path.is_file() else None
    if steps is None:
        raise InputError(f"{path} is missing. Remedy: unpack all of the data set.")
    if steps.ndim != 2 or steps.shape[1] != 2 or steps.dtype.kind not in "iu":
        raise InputError(f"{path} is {steps.dtype} {steps.shape}, expected whole numbers (N, 2).")
    if steps.size and (steps.min() < 0 or steps.max() > _LAST_STEP or (steps[:, 0] > steps[:, 1]).any()):
        raise InputError(f"{path}: a recording ends before it begins, or is beyond any number of steps.")
    return steps.astype(np.int64)


def _digits(folder: Path) -> int:
    """Digits in the names of the archives; the first one that is met tells, as in the published loader."""
    with os.scandir(folder) as entries:
        numbers = (match[1] for entry in entries if (match := _STEP.fullmatch(entry.name)))
        first = next(numbers, None)
    if first is None:
        raise InputError(f"{folder} holds no time step (episode_0000000.npz). Remedy: unpack the data set.")
    return len(first)
