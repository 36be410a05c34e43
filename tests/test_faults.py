import errno
from pathlib import Path

import pytest
from kedro.io import DatasetError
from kedro_datasets.pandas import ParquetDataset

from tests.test_user_errors import lines_on_a_console
from vidrep_pipelines.common.errors import InputError, MissingExtraError
from vidrep_pipelines.common.extras import require_extra
from vidrep_pipelines.faults import LONGEST, describe_fault, shortened
from vidrep_pipelines.training.errors import TrainingFailedError

TRACE = "Traceback (most recent call last):"


class OutOfMemoryError(RuntimeError):
    """Goes by the name of torch's."""


def raised_from(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (InputError("x.mp4 is no video. Remedy: download it."), ["x.mp4 is no video. Remedy: download it."]),
        (raised_from(DatasetError("a long text"), InputError("x.mp4 is no video.")), ["x.mp4 is no video."]),
        (OSError(errno.ENOSPC, "No space left", "/data/a.h5"), ["/data/a.h5: the disk is full", "Remedy"]),
        (
            raised_from(DatasetError("..."), OSError(errno.ENOSPC, "No space left")),
            ["the disk is full", "VIDREP_DATA"],
        ),
        (PermissionError(errno.EACCES, "denied", "/data"), ["/data: this may not be", "Remedy"]),
        (FileNotFoundError(errno.ENOENT, "none", "/a/b"), ["/a/b: there is no such file", "Remedy"]),
        (OutOfMemoryError("CUDA out of memory. Tried ..."), ["memory of the graphics", "batch_size"]),
        (
            TrainingFailedError(f"A training process failed:\n{TRACE}\ntorch.OutOfMemoryError:"),
            ["batch_size"],
        ),
        (MemoryError(), ["The machine's memory", "fanout.workers"]),
        (ModuleNotFoundError("No module named 'mujoco'", name="mujoco"), ["'.[robots]'"]),
        (
            ModuleNotFoundError("No module named 'qq.z'", name="qq.z"),
            ["qq is not installed", "pip install qq"],
        ),
    ],
)
def test_what_a_user_can_mend_is_a_paragraph(error: Exception, parts: list[str]) -> None:
    text = describe_fault(error)
    assert text is not None and [part for part in parts if part not in text] == []
    assert lines_on_a_console(text) <= 12


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a fault of ours"),
        KeyError("steps"),
        OSError(errno.EIO, "input/output error"),
        ModuleNotFoundError("No module named 'vidrep_pipelines.x'", name="vidrep_pipelines.x"),
        TrainingFailedError(f"A training process failed:\n{TRACE}\n ..."),
    ],
)
def test_a_fault_of_the_program_keeps_its_traceback(error: Exception) -> None:
    assert describe_fault(error) is None


def test_a_missing_extra_names_its_command() -> None:
    with pytest.raises(MissingExtraError) as caught:
        require_extra("no_such_library", "vpp")
    assert describe_fault(caught.value) == (
        "no_such_library is not installed. Remedy: pip install --constraint constraints.txt --editable "
        "'.[vpp]' (in the project's folder)"
    )


def test_a_dataset_that_cannot_be_loaded_is_named_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(b"no table")
    with pytest.raises(DatasetError) as caught:
        ParquetDataset(filepath=str(path)).load()
    text = describe_fault(caught.value)
    assert text is not None and f"{path}:" in text and "protocol" not in text
    assert "Remedy: run the pipeline that makes it" in text


def test_a_long_text_keeps_its_beginning_and_the_remedy() -> None:
    text = shortened(f"clip {'x' * 5000}. Remedy: leave it out.")
    assert text.startswith("clip xxx") and text.endswith(" ... Remedy: leave it out.")
    assert len(text) <= LONGEST
    assert shortened("short") == "short"
