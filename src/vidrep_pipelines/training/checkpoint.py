"""Checkpoints of a training run: written whole or not at all, readable without running code from them.

A checkpoint is a folder ``step-00000200`` of ``model.safetensors`` (the system's own parameter names, never
sharded, without what the system leaves out), ``ema.safetensors`` (if there is an average), ``optimizer.pt``
and ``state.json``. Neither generator states nor a position in the data are stored: both follow from the seed
and the step. ``state.json`` holds the digests of the other files, so that a damaged one is named and never
trained on.
"""

import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from vidrep_pipelines.common.atomic import atomic_directory, remove_directory
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.digest import digest_of_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.training import distributed
from vidrep_pipelines.training.errors import CheckpointWriteError
from vidrep_pipelines.training.parts import TrainingParts

MODEL_FILE, AVERAGE_FILE, OPTIMIZER_FILE, STATE_FILE = (
    "model.safetensors",
    "ema.safetensors",
    "optimizer.pt",
    "state.json",
)
_FULL = StateDictOptions(full_state_dict=True, cpu_offload=True)
_log = logging.getLogger(__name__)


class CheckpointState(FrozenConfig):
    """What ``state.json`` holds."""

    task: str
    """The system's name."""

    digest: str
    """Digest of the run that wrote it."""

    step: int
    """Updates done."""

    finished: bool
    """Whether it is the last one of its run."""

    files: dict[str, int] = Field(default_factory=dict)
    """The other files and their sizes in bytes."""

    digests: dict[str, str] = Field(default_factory=dict)
    """The other files and the digests of their bytes. Empty: written before digests were kept."""


@dataclass(frozen=True)
class CheckpointContents:
    """What a checkpoint holds, on the CPU and unsharded.

    Attributes:
        model: The weights, by the system's own names.
        average: Their moving average, whole. None: there is none.
        optimizer: State of the optimizer and of the loss scale. None: weights that nobody trains on.
    """

    model: Mapping[str, Tensor]
    average: Mapping[str, Tensor] | None
    optimizer: dict[str, Any] | None


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint after ``step`` updates is."""
    return folder / f"step-{step:08d}"


def list_checkpoints(folder: Path) -> list[Path]:
    """All checkpoints in ``folder``, newest first."""
    return sorted(folder.glob("step-*"), reverse=True)


def save_checkpoint(
    folder: Path, parts: TrainingParts, state: CheckpointState, keep: int, keep_every_steps: int | None = None
) -> Path:
    """Writes a checkpoint and removes all but the newest ``keep``. Every process must call this.

    Args:
        folder: That of all checkpoints.
        parts: What is saved.
        state: Where training is.
        keep: How many of the newest ones stay.
        keep_every_steps: Those of multiples of so many updates stay, too.

    Raises:
        CheckpointWriteError: On every process, when the main one could not write.
    """
    contents = gather_contents(parts)
    path = checkpoint_path(folder, state.step)
    problem = distributed.from_main(write_contents(path, contents, state) if distributed.is_main() else None)
    if problem:
        raise CheckpointWriteError(problem)
    if distributed.is_main():
        # Any after it is damaged, as training had to continue before it, and must not count among the kept.
        earlier = [old for old in list_checkpoints(folder) if old.name <= path.name]
        for old in earlier[keep:]:
            if keep_every_steps is None or _step_of(old) % keep_every_steps:
                remove_directory(old)
    return path


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("step-"))


def gather_contents(parts: TrainingParts, *, with_optimizer: bool = True) -> CheckpointContents:
    """Collects the state of all processes on the CPU. Every process must call this."""
    whole = cast(dict[str, Tensor], get_model_state_dict(parts.model, options=_FULL))
    model = {name: value for name, value in whole.items() if name not in parts.left_out}
    optimizer = None
    if with_optimizer:
        optimizer = {
            "optimizer": get_optimizer_state_dict(parts.model, parts.optimizer, options=_FULL),
            "scaler": parts.scaler.state_dict(),
        }
    average = None if parts.average is None else {**model, **parts.average.full_state()}
    return CheckpointContents(model, average, optimizer)


def write_contents(
    path: Path,
    contents: CheckpointContents,
    state: CheckpointState,
    notes: Mapping[str, Mapping[str, Any]] | None = None,
) -> str | None:
    """Writes a checkpoint's folder, whole or not at all. Only the main process may call this.

    Args:
        path: The folder, by :func:`checkpoint_path`.
        contents: What it holds.
        state: Where training is; the files' sizes and digests are added.
        notes: JSON files to write beside, by their names.

    Returns:
        What went wrong, if anything did, so that all processes can stop together.
    """
    try:
        with atomic_directory(path) as temporary:
            save_file(_unshared(contents.model), temporary / MODEL_FILE)
            if contents.average is not None:
                save_file(_unshared(contents.average), temporary / AVERAGE_FILE)
            if contents.optimizer is not None:
                torch.save(contents.optimizer, temporary / OPTIMIZER_FILE)
            for name, note in (notes or {}).items():
                (temporary / name).write_text(json.dumps(note) + "\n", encoding="utf-8")
            written = sorted(temporary.iterdir())
            sizes = {file.name: file.stat().st_size for file in written}
            digests = {file.name: digest_of_file(file) for file in written}
            complete = state.model_copy(update={"files": sizes, "digests": digests})
            (temporary / STATE_FILE).write_text(complete.model_dump_json(indent=1))
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors wrap a full disk
        return (
            f"The checkpoint {path} could not be written: {error}. Earlier checkpoints are untouched. "
            "Free some space (or lower train.keep_checkpoints) and repeat the command; it continues from the "
            "latest one."
        )
    return None


def _unshared(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tied parameters each get their own copy, which safetensors insists on."""
    seen: set[int] = set()
    result = {}
    for name, value in state.items():
        address = value.untyped_storage().data_ptr()
        result[name] = value.clone().contiguous() if address in seen else value.contiguous()
        seen.add(address)
    return result


def read_state(path: Path) -> CheckpointState:
    """Reads ``state.json`` and checks that the other files are there in full length.

    Raises:
        InputError: The checkpoint is incomplete, or no checkpoint of this package.
    """
    try:
        state = CheckpointState.model_validate_json((path / STATE_FILE).read_text())
    except OSError as error:
        raise InputError(f"{path / STATE_FILE} cannot be read: {error}. {_remedy(path)}") from error
    except ValueError as error:
        raise InputError(f"{path / STATE_FILE} is no checkpoint's state. {_remedy(path)}") from error
    if path != checkpoint_path(path.parent, state.step):
        raise InputError(f"{path / STATE_FILE} is damaged: it says step {state.step}. {_remedy(path)}")
    for name, size in state.files.items():
        actual = (path / name).stat().st_size if (path / name).is_file() else 0
        if actual != size:
            raise InputError(f"{path / name} has {actual} bytes, but {size} were written. {_remedy(path)}")
    return state


def verify_weights(path: Path) -> CheckpointState:
    """Reads ``state.json`` and checks the bytes of the weights; takes about a second per gigabyte.

    Raises:
        InputError: The checkpoint is incomplete or its weights are damaged; the message names the file.
    """
    state = read_state(path)
    for name in (MODEL_FILE, AVERAGE_FILE):
        if name in state.files:
            _verify(path / name, state)
    return state


def _verify(file: Path, state: CheckpointState) -> None:
    """Compares a file's bytes with its digest, or those of an older archive with its own checksums."""
    try:
        if file.name in state.digests:
            whole = digest_of_file(file) == state.digests[file.name]
        elif file.name == OPTIMIZER_FILE and zipfile.is_zipfile(file):
            whole = zipfile.ZipFile(file).testzip() is None
        else:
            whole = True
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"{file} is damaged: {error}. {_remedy(file.parent)}") from error
    if not whole:
        raise InputError(
            f"{file} is damaged: its bytes are not those that were written. {_remedy(file.parent)}"
        )


def _remedy(path: Path) -> str:
    return (
        f"Delete {path} to continue from an earlier checkpoint if there is one, "
        "or set train.resume: never to start anew."
    )


def load_latest(folder: Path, parts: TrainingParts, digest: str) -> CheckpointState | None:
    """Puts the newest usable checkpoint into ``parts``; None when there is no checkpoint at all.

    A damaged one, or one of another run, is passed over with a warning if there is an earlier usable one.

    Raises:
        InputError: There are checkpoints, but none is usable.
    """
    path, problem = distributed.from_main(_choose(folder, digest) if distributed.is_main() else None)
    if problem:
        raise InputError(problem)
    if path is None:
        return None
    _restore(path, _read(path), parts)
    return read_state(path)


def _choose(folder: Path, digest: str) -> tuple[Path | None, str]:
    """The newest usable checkpoint, or what is wrong with each of them, newest first."""
    problems = []
    for path in list_checkpoints(folder):
        try:
            state = read_state(path)
            if state.digest != digest:
                raise InputError(
                    f"{path} belongs to another run ({state.task}, {state.digest}). {_remedy(path)}"
                )
            for name in state.files:
                _verify(path / name, state)
            _read(path)
        except InputError as error:
            problems.append(str(error))
        else:
            for text in problems:
                _log.warning("%s Continuing from %s instead.", text, path.name)
            return path, ""
    return None, "\n".join(problems)


def _read(path: Path) -> CheckpointContents:
    average = path / AVERAGE_FILE
    return CheckpointContents(
        model=_read_tensors(path / MODEL_FILE),
        average=_read_tensors(average) if average.is_file() else None,
        optimizer=_read_optimizer(path / OPTIMIZER_FILE),
    )


def _read_tensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)  # type: ignore[no-any-return]
    except (OSError, SafetensorError) as error:
        raise InputError(f"{file} is damaged: {error}. {_remedy(file.parent)}") from error


def _read_optimizer(file: Path) -> dict[str, Any]:
    try:
        contents = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged archive can raise nearly anything
        raise InputError(
            f"{file} is damaged: {str(error).splitlines()[0]}. {_remedy(file.parent)}"
        ) from error
    if not isinstance(contents, dict) or contents.keys() != {"optimizer", "scaler"}:
        raise InputError(f"{file} holds no optimizer state of this package. {_remedy(file.parent)}")
    return contents


def _restore(path: Path, contents: CheckpointContents, parts: TrainingParts) -> None:
    own = _shapes(parts.model.state_dict(), parts.left_out)
    theirs = _shapes(contents.model, parts.left_out)
    different = sorted(name for name in own.keys() | theirs.keys() if own.get(name) != theirs.get(name))
    if different or (parts.average is not None and contents.average is None):
        what = f"{different[0]} and {len(different) - 1} more" if different else AVERAGE_FILE
        raise InputError(f"{path} is of another model: {what} does not fit. {_remedy(path)}")
    options = _FULL if not parts.left_out else replace(_FULL, strict=False)
    set_model_state_dict(parts.model, dict(contents.model), options=options)
    assert contents.optimizer is not None  # those of a checkpoint to continue from are always read
    set_optimizer_state_dict(parts.model, parts.optimizer, contents.optimizer["optimizer"], options=_FULL)
    for group in parts.optimizer.param_groups:
        if "betas" in group:  # torch made a list of them: the bytes of the next file would be others
            group["betas"] = tuple(group["betas"])
    parts.scaler.load_state_dict(contents.optimizer["scaler"])
    if parts.average is not None and contents.average is not None:
        parts.average.load(contents.average)


def _shapes(state: Mapping[str, Tensor], left_out: frozenset[str]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items() if name not in left_out}
