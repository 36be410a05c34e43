"""The manifest of a store: one row per view, which says where its frames are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import EpisodeAnnotations
from vidrep_pipelines.data.frame_store.shard import FORMAT_VERSION, SHARD_SUFFIX, VERSION_STAMP, read_views
from vidrep_pipelines.data.hdf5 import open_hdf5

MANIFEST = "manifest.parquet"
_FACTS = b"vidrep_pipelines.frame_store"
ANNOTATIONS = "annotations"
_COUNTS = {"start": "frames", "state_start": "states", "action_start": "actions", "outcome_start": "outcomes"}
SEGMENT_COLUMNS = ["id", "first", "end", "text", "task", "split"]
_MASKS = {"mask_start": "masks"}


@dataclass(frozen=True)
class StoreFacts:
    """What holds for the whole store.

    Attributes:
        height: Height of the frames in pixels; of the largest ones if data sets differ.
        width: Width of the same.
        mean: Mean of the training pixels in 0..1, per color channel.
        std: Standard deviation of the same.
        split_unit: ``trajectory`` or ``view``.
        seed: Seed of the split.
        shards: Digest of all that determines the content of a file, by its path below the store.
    """

    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    split_unit: str
    seed: int
    shards: Mapping[str, str]

    @property
    def content_digest(self) -> str:
        """Changes with anything that the stored frames depend on, and with how they are dealt out."""
        return digest_of(FORMAT_VERSION, dict(self.shards))


def write_store_manifest(folder: Path, shards: Sequence[str]) -> Path:
    """Reads the headers of all shards and writes the manifest, as a whole or not at all.

    Args:
        folder: The store.
        shards: Their paths below the store without suffix.

    Raises:
        InputError: A shard is damaged, or there are none.
    """
    if not shards:
        raise InputError(f"{folder}: there are no shards. Remedy: see which stage before failed.")
    files = [f"{name}{SHARD_SUFFIX}" for name in shards]
    table = _without_unused(pd.concat([_rows(folder, file) for file in files]))
    table = table.sort_values("id", ignore_index=True)
    repeated = table.loc[table["id"].duplicated(), "id"]
    if len(repeated):
        raise InputError(f"{folder}: {repeated.iloc[0]!r} and {len(repeated) - 1} others are in it twice.")
    facts = _facts(folder, files)
    content = pa.Table.from_pandas(table, preserve_index=False)
    content = content.replace_schema_metadata({_FACTS: json.dumps(asdict(facts)).encode()})
    with atomic_file(folder / MANIFEST) as temporary:
        pq.write_table(content, temporary, compression="zstd")
    return folder / MANIFEST


def read_store_manifest(folder: Path) -> tuple[pd.DataFrame, StoreFacts]:
    """The rows, sorted by id, and the facts.

    Returns:
        Columns id, trajectory, camera, robot, split, shard, source_frames, then first row and number of rows
        in the shard's arrays: start, frames; state_start, states; action_start, actions; outcome_start,
        outcomes. If anything in the store is annotated or has masks, also mask_start, masks, and annotations
        (text, see ``EpisodeAnnotations.from_text``).

    Raises:
        InputError: There is no manifest, or it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} is no finished frame store. Remedy: run the pipeline that makes it.")
    try:
        table = pq.read_table(path)
        facts = json.loads(table.schema.metadata[_FACTS])
        facts = {**facts, "mean": tuple(facts["mean"]), "std": tuple(facts["std"])}
        return table.to_pandas(), StoreFacts(**facts)
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is damaged ({error}). Remedy: delete it and run the pipeline again."
        ) from error


def segment_table(views: pd.DataFrame) -> pd.DataFrame:
    """One row per segment of the views of a manifest, in their order: id, first, end, text, task, split."""
    rows = [
        (name, segment.first, segment.last, segment.text, segment.task, split)
        for name, split, text in views.reindex(columns=["id", "split", ANNOTATIONS]).itertuples(index=False)
        if isinstance(text, str)
        for segment in EpisodeAnnotations.from_text(text).segments
    ]
    table = pd.DataFrame(rows, columns=SEGMENT_COLUMNS)
    return table.astype({"first": "int64", "end": "int64"})


def _rows(folder: Path, file: str) -> pd.DataFrame:
    views = read_views(folder / file)
    table = pd.DataFrame(
        {
            "id": [view.id for view in views],
            "trajectory": [view.trajectory for view in views],
            "camera": [view.camera for view in views],
            "robot": [view.robot for view in views],
            "split": file.split("/", maxsplit=1)[0],
            "shard": file,
            "source_frames": [view.source_frames for view in views],
            "frames": [view.frames for view in views],
            "states": [len(view.states) for view in views],
            "actions": [len(view.actions) for view in views],
            "outcomes": [len(view.outcomes) for view in views],
            "masks": [view.masks for view in views],
            ANNOTATIONS: [view.annotations.to_text() for view in views],
            "is_annotated": [view.is_annotated for view in views],
        }
    )
    return table.assign(**{start: _starts(table[count]) for start, count in (_COUNTS | _MASKS).items()})


def _without_unused(table: pd.DataFrame) -> pd.DataFrame:
    """A store without annotations and masks has the manifest that it always had."""
    unused = [] if table["is_annotated"].any() else [ANNOTATIONS, *_MASKS, *_MASKS.values()]
    return table.drop(columns=["is_annotated", *unused])


def _starts(counts: "pd.Series[int]") -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.cumsum(counts.to_numpy(np.int64)) - counts.to_numpy(np.int64)


def _facts(folder: Path, files: Sequence[str]) -> StoreFacts:
    versions: dict[str, str] = {}
    sizes = set[tuple[int, int]]()
    for name in files:
        with open_hdf5(folder / name) as file:
            attributes = dict(file.attrs)
        versions[name] = str(attributes[VERSION_STAMP])
        sizes.add((int(attributes["height"]), int(attributes["width"])))
    height, width = max(sizes, key=lambda size: (size[0] * size[1], size))
    return StoreFacts(
        height=height,
        width=width,
        mean=tuple(attributes["mean"].tolist()),
        std=tuple(attributes["std"].tolist()),
        split_unit=str(attributes["split_unit"]),
        seed=int(attributes["seed"]),
        shards=versions,
    )
