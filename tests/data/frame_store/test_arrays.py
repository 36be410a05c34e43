"""Named arrays beside the frames of a store: written whole, read by name, refused when they are another's."""

import pickle
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.data.frame_store.test_store import make
from tests.helpers.videos import truncate
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.arrays import ArrayShardRequest, ArraySpec, array_requests, array_shard
from vidrep_pipelines.data.frame_store.config import SelectionConfig
from vidrep_pipelines.data.frame_store.contiguous import ContiguousArray
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.shard import read_views
from vidrep_pipelines.data.frame_store.store import FrameStore

LATENTS = ArraySpec("latents", "float16", (2, 2, 2))
POSE = ArraySpec("pose", "float32", (3,))
GOAL = ArraySpec("goal", "float64", (4,), "episode")
COUNT = ArraySpec("count", "int64", (), "episode")
SPECS = (LATENTS, POSE, GOAL, COUNT)


def latents_of(frames: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Stands in for an encoder: (T, 2, 2, 2) of (T, 8, 8, 3) frames."""
    return np.moveaxis(frames[:, ::4, ::4, :2], -1, 1).astype(np.float16) / 64


def goal_of(name: str) -> NDArray[np.float64]:
    return np.random.default_rng([*name.encode()]).normal(size=4)


def write(request: ArrayShardRequest, folder: Path) -> Path:
    path = folder / f"{request.id}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    views = read_views(request.frames)
    frames = ContiguousArray(request.frames, "frames")
    with array_shard(path, request) as writer:
        for start in range(0, frames.shape[0], 3):
            rows = frames.read(start, min(start + 3, frames.shape[0]))
            writer.append("latents", latents_of(rows))
            writer.append("pose", rows[:, 0, 0].astype(np.float32))
        for view in views:
            writer.append("goal", goal_of(view.id)[None])
            writer.append("count", np.array([view.frames]))
    frames.close()
    return path


def write_all(
    store: FrameStore, folder: Path, model: str = "model", specs: Sequence[ArraySpec] = SPECS
) -> FrameArrayStore:
    for request in array_requests(store, specs, model):
        write(request, folder)
    return FrameArrayStore(folder, store)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return FrameStore(make(tmp_path_factory.mktemp("frames")))


@pytest.fixture(scope="module")
def arrays(store: FrameStore, tmp_path_factory: pytest.TempPathFactory) -> FrameArrayStore:
    return write_all(store, tmp_path_factory.mktemp("arrays"))


def test_arrays_are_addressed_like_frames(store: FrameStore, arrays: FrameArrayStore) -> None:
    arrays.value("goal", store.ids[0])
    copy = pickle.loads(pickle.dumps(arrays))
    for handle in (arrays, copy):
        for view in store.ids:
            for selection in (slice(None), slice(1, 3), [3, 0]):
                frames = store.frames(view, selection)
                latents = handle.array("latents", view, selection)
                assert latents.dtype == np.float16
                np.testing.assert_array_equal(latents, latents_of(frames))
                np.testing.assert_array_equal(handle.array("pose", view, selection), frames[:, 0, 0])
                np.testing.assert_array_equal(handle.frames(view, selection), frames)
            np.testing.assert_array_equal(handle.value("goal", view), goal_of(view))
            assert handle.value("count", view).item() == store.length(view)
    copy.close()


def test_arrays_of_selected_views(store: FrameStore, arrays: FrameArrayStore) -> None:
    chosen = FrameArrayStore(arrays.folder, store.select(selection=SelectionConfig(cameras=(1,))))
    for view in chosen.store.ids:
        np.testing.assert_array_equal(chosen.value("goal", view), goal_of(view))
    assert chosen.content_digest != arrays.content_digest


def test_what_is_there_can_be_asked(arrays: FrameArrayStore) -> None:
    assert arrays.specs == {spec.name: spec for spec in SPECS}
    assert arrays.model_digest == "model"
    assert arrays.requiring([LATENTS, GOAL], "model").specs == arrays.specs


def test_equal_requests_give_equal_bytes(store: FrameStore, tmp_path: Path) -> None:
    request = array_requests(store, SPECS, "model")[0]
    first, second = (write(request, tmp_path / name).read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "another"}, "made by the model model, not by another"),
        ({"spec": ArraySpec("latents", "float32", (2, 2, 2))}, r"latents is float16 .*expected is float32"),
        ({"spec": ArraySpec("latents", "float16", (4, 2, 2))}, r"expected is float16 \(4, 2, 2\)"),
        ({"spec": ArraySpec("latents", "float16", (2, 2, 2), "episode")}, "expected is .*per episode"),
        ({"spec": ArraySpec("features", "float16")}, r"no array 'features', only \['count', 'goal'"),
    ],
)
def test_what_somebody_counts_on_is_checked(
    arrays: FrameArrayStore, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        arrays.requiring([change.get("spec", LATENTS)], change.get("model"))


def test_arrays_of_two_models_are_not_mixed(store: FrameStore, tmp_path: Path) -> None:
    write_all(store, tmp_path)
    last = array_requests(store, SPECS, "another")[-1]
    write(last, tmp_path)
    arrays = FrameArrayStore(tmp_path, store)
    shards = store.table.set_index("id")["shard"]
    for view in store.ids:
        if shards[view].startswith(last.id):
            with pytest.raises(InputError, match="made by the model another, not by model"):
                arrays.array("latents", view)
        else:
            arrays.array("latents", view)


def test_arrays_of_other_frames_are_refused(store: FrameStore, tmp_path: Path) -> None:
    arrays = write_all(store, tmp_path)
    for path in tmp_path.glob("*/*.h5"):
        with h5py.File(path, "a") as file:
            file.attrs["frames_digest"] = "other"
    with pytest.raises(InputError, match="made anew"):
        arrays.array("latents", store.ids[0])
    (request, *_) = array_requests(store, SPECS, "model")
    with (
        pytest.raises(InputError, match="made anew"),
        array_shard(tmp_path / "x.h5", ArrayShardRequest("x", request.frames, "other", SPECS, "model")),
    ):
        pass


def test_values_are_not_looked_up_in_frames_that_were_made_anew(store: FrameStore, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(store.folder, tmp_path / "frames"))
    arrays = write_all(FrameStore(folder), tmp_path / "arrays")
    for path in folder.glob("*/*.h5"):
        with h5py.File(path, "a") as file:
            file.attrs["digest"] = "other"
    write_store_manifest(folder, [file.removesuffix(".h5") for file in store.facts.shards])
    with pytest.raises(InputError, match="frames was made anew"):
        arrays.value("goal", store.ids[0])


def test_refused_arrays_are_closed(arrays: FrameArrayStore) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(InputError, match="not by another"):
            arrays.requiring([LATENTS], "another")
    assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.mark.parametrize("damage", ["gone", "cut", "codes", "short", "converted"])
def test_damaged_files_are_named(store: FrameStore, tmp_path: Path, damage: str) -> None:
    write_all(store, tmp_path)
    messages = {
        "gone": "no whole file of arrays|does not exist",
        "cut": "no whole file of arrays|can be read",
        "codes": "no whole file of arrays",
        "short": "views are missing",
        "converted": "should be float16",
    }
    for path in tmp_path.glob("*/*.h5"):
        if damage == "gone":
            path.unlink()
        elif damage == "cut":
            truncate(path, 0.6)
        else:
            with h5py.File(path, "a") as file:
                if damage == "codes":
                    del file.attrs["arrays"]
                    continue
                content = file["latents"][:]
                del file["latents"]
                file["latents"] = content[:1] if damage == "short" else content.astype(np.float32)
    arrays = FrameArrayStore(tmp_path, store)
    with pytest.raises(InputError, match=rf"\.h5.*({messages[damage]})"):
        arrays.array("latents", store.ids[0])


def test_asking_for_the_wrong_kind_of_entry(arrays: FrameArrayStore) -> None:
    view = arrays.store.ids[0]
    with pytest.raises(InputError, match="per frame, not per episode"):
        arrays.value("latents", view)
    with pytest.raises(InputError, match="per episode, not per frame"):
        arrays.array("goal", view)
    with pytest.raises(InputError, match="no view"):
        arrays.array("latents", "nothing")
    with pytest.raises(IndexError):
        arrays.array("latents", view, [99])


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("latents", np.zeros((2, 2, 2, 2), np.float32), r"float16 \(2, 2, 2\), not float32"),
        ("latents", np.zeros((2, 2, 2), np.float16), r"not float16 \(2, 2\)"),
        ("features", np.zeros(2, np.float16), "no array 'features'"),
        ("latents", np.zeros((999, 2, 2, 2), np.float16), "would get 999"),
        ("latents", np.zeros((1, 2, 2, 2), np.float16), r"1 of \d+ entries of latents"),
    ],
)
def test_entries_that_do_not_fit(
    store: FrameStore, tmp_path: Path, name: str, rows: NDArray[Any], message: str
) -> None:
    request = array_requests(store, [LATENTS], "model")[0]
    with pytest.raises(InputError, match=message), array_shard(tmp_path / "a.h5", request) as writer:
        writer.append(name, rows)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("a b", "float16"), "called 'a b'"),
        (("a", "float17"), "no type 'float17'"),
        (("a", "object"), "no plain type"),
        (("a", "f2"), "no plain type"),
        (("a", "float16", (0,)), "no array has"),
        (("a", "float16", (), "shard"), "per shard"),
    ],
)
def test_impossible_arrays(fields: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ArraySpec(*fields)


def test_requests(store: FrameStore) -> None:
    for specs in ([], [LATENTS, LATENTS]):
        with pytest.raises(InputError, match="names of their own"):
            array_requests(store, specs, "model")
    request = array_requests(store, SPECS, "model")[0]
    others = [
        array_requests(store, SPECS, "other")[0],
        array_requests(store, SPECS[:1], "model")[0],
        array_requests(store, SPECS, "model")[1],
    ]
    assert request.digest == pickle.loads(pickle.dumps(request)).digest
    assert request.digest not in {other.digest for other in others}


kinds = st.sampled_from(["float16", "float32", "float64", "int8", "int16", "int64", "uint8", "bool"])
specs = st.lists(
    st.builds(
        ArraySpec,
        st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True),
        kinds,
        st.lists(st.integers(1, 3), max_size=3).map(tuple),
        st.sampled_from(["frame", "episode"]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda spec: spec.name,
)


@given(specs=specs, seed=st.integers(0, 99), pieces=st.integers(1, 4))
def test_every_array_comes_back(
    store: FrameStore,
    tmp_path_factory: pytest.TempPathFactory,
    specs: list[ArraySpec],
    seed: int,
    pieces: int,
) -> None:
    folder, rng = tmp_path_factory.mktemp("arrays"), np.random.default_rng(seed)
    written: dict[tuple[str, str], NDArray[Any]] = {}
    for request in array_requests(store, specs, "model"):
        path = folder / f"{request.id}.h5"
        path.parent.mkdir(parents=True)
        views = read_views(request.frames)
        with array_shard(path, request) as writer:
            for spec in specs:
                counts = [view.frames if spec.per == "frame" else 1 for view in views]
                rows = rng.integers(0, 256, (sum(counts), *spec.shape)).astype(spec.dtype)
                for piece in np.array_split(rows, pieces):
                    writer.append(spec.name, piece)
                for view, entry in zip(views, np.split(rows, np.cumsum(counts)[:-1]), strict=True):
                    written[spec.name, view.id] = entry if spec.per == "frame" else entry[0]
    arrays = FrameArrayStore(folder, store, specs, "model")
    for spec in specs:
        for view in store.ids:
            read = arrays.array if spec.per == "frame" else arrays.value
            found = read(spec.name, view)
            assert found.dtype == np.dtype(spec.dtype)
            np.testing.assert_array_equal(found, written[spec.name, view])
    arrays.close()


def test_arrays_with_as_many_entries_as_are_needed(store: FrameStore, tmp_path: Path) -> None:
    """Two entries for every frame of the first view of a shard, none for the others."""
    rows, values = ArraySpec("rows", "int64", (2,)), ArraySpec("values", "float32", (3,), "entry")
    for plain in array_requests(store, [rows, values], "model"):
        view = min(read_views(plain.frames), key=lambda view: view.id)
        request = replace(plain, entries=2 * view.frames)
        assert request.digest != plain.digest
        path = tmp_path / f"{plain.id}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        with array_shard(path, request) as writer:
            writer.append("rows", np.zeros((writer.length("rows"), 2), np.int64))
            writer.append("values", np.arange(6 * view.frames, dtype=np.float32).reshape(-1, 3))
    arrays = FrameArrayStore(tmp_path, store)
    assert str(arrays.specs["values"]) == "float32 (3,) per entry"
    assert arrays.entries_at("values", 0, 1, 3).tolist() == [[3, 4, 5], [6, 7, 8]]
    with pytest.raises(InputError, match="entries of values"):
        arrays.entries_at("values", 0, 0, 10**6)
    with pytest.raises(InputError, match="an entry per entry, not per frame"):
        arrays.array_at("values", 0)


def test_a_shard_may_have_no_entry(store: FrameStore, tmp_path: Path) -> None:
    request = array_requests(store, [ArraySpec("values", "float32", (3,), "entry")], "model")[0]
    path = tmp_path / f"{request.id}.h5"
    path.parent.mkdir(parents=True)
    with array_shard(path, request):
        pass
    assert ContiguousArray(path, "values").shape == (0, 3)
