import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fanout.item_functions import Outputs
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.errors import FanOutError, is_disk_full
from vidrep_pipelines.fanout.job import Item
from vidrep_pipelines.fanout.journal import JournalRow, JournalWriter, journal_files, read_journal
from vidrep_pipelines.fanout.worker import Recipe, describe, execute


def _execute(folder: Path, facts: object, suffixes: tuple[str, ...] = ()) -> JournalRow:
    def function(payload: object, outputs: Outputs) -> object:
        return facts

    books = Bookkeeping(folder)
    recipe = Recipe(function, suffixes, books, "run")  # type: ignore[arg-type]
    books.claim("run")
    with JournalWriter(books.journals) as journal:
        execute(recipe, journal, Item("a", None, "d"))
    (row,) = [row for path in journal_files(books.journals) for _, row in read_journal(path)]
    return row


@pytest.mark.parametrize("claimed", [True, False], ids=["taken over", "over"])
def test_a_worker_that_outlives_its_run_touches_nothing(tmp_path: Path, claimed: bool) -> None:
    def function(payload: object, outputs: Outputs) -> dict[str, int]:
        outputs[".txt"].write_text("late")
        if payload == "raise":
            raise ValueError
        return {}

    books = Bookkeeping(tmp_path)
    books.temporary.mkdir(parents=True)
    (tmp_path / "a.txt").write_text("product of the next run")
    if claimed:
        books.claim("next run")
    with JournalWriter(books.journals) as journal:
        for payload in ("write", "raise"):
            with pytest.raises(FanOutError, match="is over"):
                execute(Recipe(function, (".txt",), books, "run"), journal, Item("a", payload, "d"))
    assert (tmp_path / "a.txt").read_text() == "product of the next run"
    assert not books.journals.exists()
    assert list(books.temporary.iterdir()) == []


def test_numpy_facts_become_plain(tmp_path: Path) -> None:
    facts = {
        "n": np.int32(3),
        "x": np.float32(0.5),
        "b": np.bool_(True),
        "s": np.str_("é"),
        "nan": np.nan,
        "none": None,
    }
    assert _execute(tmp_path, facts)["facts"] == {
        "n": 3,
        "x": 0.5,
        "b": True,
        "s": "é",
        "nan": None,
        "none": None,
    }


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"frames": [1]}, r"Fact 'frames' is no text.*\[1\]"),
        ({"big": 2**63}, "64-bit"),
        ({"array": np.zeros(3)}, "Fact 'array'"),
        ({"status": "fine"}, "may not be called.*status"),
        ("text", "returned str instead of a mapping"),
        (None, "returned NoneType"),
    ],
)
def test_facts_that_no_table_holds_fail_the_item(tmp_path: Path, facts: object, message: str) -> None:
    row = _execute(tmp_path, facts)
    assert row["status"] == "failed"
    assert row["facts"] == {}
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(row["error"])


def test_missing_product_fails_the_item(tmp_path: Path) -> None:
    assert _execute(tmp_path, {}, (".mp4",))["error"] == "The item's function wrote no .mp4 product."


def test_texts_with_broken_unicode_are_kept_readable(tmp_path: Path) -> None:
    assert _execute(tmp_path, {"name": "a\udcffb"})["facts"] == {"name": "a?b"}
    assert describe(ValueError("a\udcffb")) == "ValueError: a?b"


def test_reasons() -> None:
    assert (
        describe(InputError("clip.mp4 is no video. Remedy: none.")) == "clip.mp4 is no video. Remedy: none."
    )
    assert describe(KeyError("x")) == "KeyError: 'x'"
    assert len(describe(ValueError("x" * 10_000))) == 2000


def test_full_disk_is_recognized_through_wrappers() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    wrapped = InputError("cannot write")
    wrapped.__cause__ = full
    assert is_disk_full(full)
    assert is_disk_full(wrapped)
    assert is_disk_full(RuntimeError("HDF5: write failed: No space left on device"))
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))
    assert not is_disk_full(ValueError("disk"))


def test_worker_module_loads_no_numeric_library() -> None:
    check = (
        "import sys, vidrep_pipelines.fanout.worker; print('numpy' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
