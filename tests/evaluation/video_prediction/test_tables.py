from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.video_prediction import WORLD, table_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world.tabletop import TabletopSeeds
from vidrep_pipelines.evaluation.video_prediction.tables import (
    CounterfactualTable,
    TableRequest,
    film_table,
)

REQUEST = TableRequest("table_0", WORLD, TabletopSeeds.of(0), "front", (0, 10, 19), (32, 32))


def test_what_is_filmed_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    assert film_table(REQUEST, {".npz": path}) == {"instructions": len(table_of(0).texts)}
    table, expected = CounterfactualTable.read("table_0", path), table_of(0)
    assert table.texts == expected.texts
    np.testing.assert_array_equal(table.truths, expected.truths)
    np.testing.assert_array_equal(table.masks, expected.masks)
    assert (table.truths[:, 0] == table.truths[0, 0]).all()


def test_frames_may_have_the_size_of_a_store(tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    film_table(replace(REQUEST, size=(16, 24)), {".npz": path})
    table = CounterfactualTable.read("table_0", path)
    assert table.truths.shape[1:] == (3, 16, 24, 3) and table.masks.shape[1:] == (3, 16, 24)
    assert 0 < table.where(table.objects[0]).mean() < 0.2


def test_the_digest_changes_with_what_is_seen() -> None:
    changes = ({"moments": (0, 5)}, {"size": (8, 8)}, {"seeds": TabletopSeeds.of(1)})
    assert len({replace(REQUEST, **change).digest for change in changes} | {REQUEST.digest}) == 4
    assert replace(REQUEST, name="x").digest == REQUEST.digest


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    np.savez(path, texts=np.array(["a"]))
    with pytest.raises(InputError, match=r"table\.npz is damaged: masks is missing"):
        CounterfactualTable.read("t", path)
