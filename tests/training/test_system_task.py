"""What the tasks of all systems share, on a system without frames."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image
from torch import nn

from vidrep_pipelines.common.digest import digest_of_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.training.system_task import SystemTask


class LinearTask(SystemTask[nn.Linear]):
    name: ClassVar[str] = "linear"
    name_in_digests: ClassVar[str] = "tests.linear"
    not_science: ClassVar[set[str] | dict[str, Any]] = {"folder", "initialize_from"}

    folder: Path
    model: dict[str, int]
    initialize_from: Path | None = None

    def files_that_count(self) -> dict[str, Path | None]:
        return {"initialize_from": self.initialize_from}

    def pictures(self, model: nn.Linear) -> Mapping[str, Image.Image]:
        side = model.out_features
        return {"weights": Image.new("L", (side, side)), "bias": Image.new("L", (side, 1))}


def make_task(folder: Path, **fields: Any) -> LinearTask:
    return LinearTask(folder=folder, model={"width": 3}, **fields)


def test_identity_holds_contents_and_no_places(tmp_path: Path) -> None:
    first, copy = tmp_path / "first.pth", tmp_path / "copy.pth"
    for path in (first, copy):
        path.write_bytes(b"\x80\x02weights")
    expected = {"seed": 0, "model": {"width": 3}, "initialize_from": digest_of_file(first)}
    assert make_task(tmp_path, initialize_from=first).identity() == expected
    assert make_task(tmp_path / "elsewhere", initialize_from=copy).identity() == expected
    assert make_task(tmp_path).identity() == {**expected, "initialize_from": None}
    with pytest.raises(InputError, match=r"initialize_from: .*absent\.pth cannot be read"):
        make_task(tmp_path, initialize_from=tmp_path / "absent.pth").identity()


def test_the_architecture_is_published_beside_the_weights(tmp_path: Path) -> None:
    assert make_task(tmp_path).checkpoint_config() == {"width": 3}


def test_pictures_are_kept_in_a_folder_each(tmp_path: Path) -> None:
    task, model = make_task(tmp_path), nn.Linear(2, 4)
    expected = [tmp_path / name / "step-00000012.png" for name in ("weights", "bias")]
    assert task.on_checkpoint(model, tmp_path, 12) == expected
    with Image.open(expected[0]) as picture:
        assert picture.size == (4, 4)


def test_matrices_are_decayed_and_vectors_are_not(tmp_path: Path) -> None:
    model = nn.Linear(2, 4)
    groups = make_task(tmp_path).parameter_groups(model, 0.1)
    assert [(group["params"], group["weight_decay"]) for group in groups] == [
        ([model.bias], 0.0),
        ([model.weight], 0.1),
    ]
