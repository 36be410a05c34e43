"""A trained model: weights, the configuration that rebuilds it, and where it came from."""

import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.io import DatasetError
from kedro_datasets._typing import JSONPreview

from vidrep_pipelines.common.atomic import ReadOnlyError, atomic_directory, atomic_file, recover_directory
from vidrep_pipelines.common.digest import digest_of_file, plain
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.file_checks import PromisedFile, folders_below
from vidrep_pipelines.datasets.local import LocalDataset, json_preview
from vidrep_pipelines.models.shared.catalog_checkpoint import (
    CONFIG,
    META,
    WEIGHTS,
    WEIGHTS_DIGEST,
    Checkpoint,
    read_json_object,
    read_meta,
)
from vidrep_pipelines.models.shared.model_card import CARD, CardLayout, model_card

__all__ = [
    "Checkpoint",
    "CheckpointDataset",
    "CheckpointSource",
    "ExportDescription",
    "promised_weights",
    "published_folders",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckpointSource:
    """What to publish as a checkpoint.

    Attributes:
        directory: Folder with the weights, for example the last checkpoint of a training run.
        config: What rebuilds the model: data, configs or dataclasses. None: ``config.json`` in the folder.
        meta: Where it came from: system, step, digest, metrics. None: ``meta.json`` in the folder.
        weights: Name of the safetensors file in the folder that becomes ``model.safetensors``.
    layout: What the folder holds, for its card.
    """

    directory: Path
    config: Mapping[str, Any] | None = None
    meta: Mapping[str, Any] | None = None
    weights: str = WEIGHTS
    layout: CardLayout = "ours"


class CheckpointDataset(LocalDataset[CheckpointSource | Path, Checkpoint]):
    """A checkpoint folder that is either whole or absent, with a card (README.md) for people and hubs.

    Saving links the weights (between file systems it copies them) and leaves alone what is published already,
    byte for byte. Loading compares the weights with the digest that was taken when they were published, at
    about a second per gigabyte.
    """

    def save(self, data: CheckpointSource | Path) -> None:
        """Publishes a source, or a folder that already looks like a checkpoint."""
        source = CheckpointSource(data) if isinstance(data, Path) else data
        config = read_json_object(source.directory / CONFIG) if source.config is None else source.config
        meta = read_meta(source.directory / META)[0] if source.meta is None else source.meta
        weights = source.directory / source.weights
        if not weights.is_file():
            raise InputError(f"{weights} does not exist, so no checkpoint can be published.")
        config, origin = plain(config), plain(meta)
        meta = {**origin, WEIGHTS_DIGEST: digest_of_file(weights)}
        card = model_card(config, origin, source.layout)
        if self._holds(config, meta):
            _add_card(self._path, card)
            return
        with atomic_directory(self._path) as folder:
            _link(weights, folder / WEIGHTS)
            _write_json(folder / CONFIG, config)
            _write_json(folder / META, meta)
            (folder / CARD).write_text(card, encoding="utf-8")

    def load(self) -> Checkpoint:
        """The handle, with the configuration read.

        Raises:
            InputError: The weights are damaged, or a file cannot be read.
        """
        return Checkpoint.checked(self._require())

    def _holds(self, config: Mapping[str, Any], meta: Mapping[str, Any]) -> bool:
        """Whether exactly this is published, its weights whole."""
        try:
            stored = read_json_object(self._path / CONFIG), read_json_object(self._path / META)
            same = stored == (_as_json(config), _as_json(meta))
            return same and digest_of_file(self._path / WEIGHTS) == str(meta[WEIGHTS_DIGEST])
        except (InputError, OSError):
            return False

    def _exists(self) -> bool:
        recover_directory(self._path)
        return all((self._path / name).is_file() for name in (WEIGHTS, CONFIG, META))

    def preview(self) -> JSONPreview:
        """Configuration and origin."""
        try:
            checkpoint = Checkpoint.of(self._require())
        except (DatasetError, InputError):
            return JSONPreview("{}")
        return json_preview({"meta": checkpoint.meta, "config": checkpoint.config})


class ExportDescription(LocalDataset[Checkpoint, dict[str, Any]]):
    """What a file in an original layout does not say of its model, as JSON beside it, and a card.

    The file has the same name with another ending. With it, ``vidrep_pipelines.load`` builds the model that
    was exported, although no shape of a tensor shows its heads or its units of pixels.
    """

    def save(self, data: Checkpoint) -> None:
        """Describes a checkpoint that is exported beside this file."""
        with atomic_file(self._path) as temporary:
            _write_json(temporary, {"config": data.config, "meta": data.meta})
        with atomic_file(self._path.with_name(CARD)) as temporary:
            temporary.write_text(model_card(data.config, data.meta, "original"), encoding="utf-8")

    def load(self) -> dict[str, Any]:
        """``config`` and ``meta``.

        Raises:
            InputError: The file is damaged.
        """
        return read_json_object(self._require())

    def preview(self) -> JSONPreview:
        """All of it."""
        try:
            return json_preview(self.load())
        except (DatasetError, InputError):
            return JSONPreview("{}")


def published_folders(root: Path) -> list[Path]:
    """Published checkpoints below ``root``, sorted."""
    return sorted(folder for folder, names in folders_below(root) if names >= {META, CONFIG})


def promised_weights(folder: Path) -> Iterator[PromisedFile]:
    """The weights of a published checkpoint; none if nothing says what they were.

    So it is with those published before digests were kept, and with files of others that have such names.
    """
    try:
        digest = read_meta(folder / META)[1]
    except InputError as error:
        _log.warning("%s The weights beside it are not compared.", error)
        return
    if digest is not None:
        remedy = (
            f"remove it and run the pipeline that publishes {folder}; it takes the weights of its run, or "
            "trains them again if these are damaged, too"
        )
        yield PromisedFile(folder / WEIGHTS, str(digest), remedy)


def _add_card(folder: Path, card: str) -> None:
    """Writes the card of a checkpoint that was published before there were cards."""
    if (folder / CARD).exists():
        return
    try:
        with atomic_file(folder / CARD) as temporary:
            temporary.write_text(card, encoding="utf-8")
    except ReadOnlyError as error:  # a finished data folder may be read-only
        _log.info("%s", error)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _as_json(value: Mapping[str, Any]) -> Any:
    """What is read again after writing."""
    return json.loads(json.dumps(value))
