"""Heads of all encoders, trained and measured one by one; an item's id is ``<encoder>/<head>``."""

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.clips.class_list import class_ids
from vidrep_pipelines.data.sources.clip_labels import TRAIN_PART, VALIDATION_PART
from vidrep_pipelines.evaluation.clip_probe.clip_features import CLIP_FEATURE_SUFFIX, ClipFeatures
from vidrep_pipelines.evaluation.clip_probe.config import ClipProbeConfig, ProbeHead
from vidrep_pipelines.evaluation.clip_probe.probing import ProbedClips, probe_clips
from vidrep_pipelines.evaluation.label_propagation.frame_features import device_of_sequence
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job, Scalar
from vidrep_pipelines.fanout.parts import Parts

HEAD_SUFFIX = ".npz"

_PROBING = 1
"""Version of what equal inputs lead to: raised when the code that computes it changes its results."""
_LONGEST_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True)
class NamedClips:
    """Clips of one part: their ids, by which files below a folder of features are called, and classes."""

    ids: tuple[str, ...]
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class HeadItem:
    """One head on the features of one encoder.

    Attributes:
        folder: Where the encoder's features are.
        parts: The clips of each part that has features of every encoder.
        head: Which.
        config: Its settings.
        gpu: Number of the GPU that trains it, where there are several.
    """

    folder: Path
    parts: Mapping[str, NamedClips]
    head: ProbeHead
    config: ClipProbeConfig
    gpu: int = 0


def compared_clips(clips: pd.DataFrame, features: Parts, encoders: Sequence[str]) -> pd.DataFrame:
    """The clips of which every encoder that has any features has some.

    Args:
        clips: The table of labelled clips.
        features: What was extracted; ids are ``<encoder>/<clip>``.
        encoders: Names of the encoders.

    Raises:
        InputError: A part has no such clip.
    """
    there = set(features.ids)
    able = [name for name in encoders if any(f"{name}/{clip}" in there for clip in clips["id"])]
    kept = clips[[all(f"{name}/{clip}" in there for name in able) for clip in clips["id"]]]
    for part in (TRAIN_PART, VALIDATION_PART):
        if not able or not (kept["part"] == part).any():
            reasons = "; ".join(features.failed["error"].dropna().unique()[:3])
            raise InputError(f"There is no {part} clip with features of {', '.join(encoders)}: {reasons}")
    return kept.reset_index(drop=True)


def head_job(
    clips: pd.DataFrame,
    features: Parts,
    encoders: Sequence[str],
    config: ClipProbeConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per encoder and head: its settings chosen, trained, measured.

    Args:
        clips: See :func:`compared_clips`.
        features: What was extracted.
        encoders: Names of the encoders.
        config: Heads and settings.
        fanout: How items are executed; a head is trained for as long as it takes.
    """
    there, digests = set(features.ids), features.digests
    parts = {part: _named(clips[clips["part"] == part]) for part in (TRAIN_PART, VALIDATION_PART)}
    science = config.model_dump(mode="json", include={"tuning_share", "seed", *config.probes})
    able = [name for name in encoders if f"{name}/{clips['id'][0]}" in there]
    items = [
        Item(
            id=f"{name}/{head}",
            payload=HeadItem(features.folder / name, parts, head, config, number),
            digest=digest_of(
                _PROBING,
                head,
                {key: science[key] for key in ("tuning_share", "seed", head)},
                [digests[f"{name}/{clip}"] for clip in clips["id"]],
                clips["class_name"].tolist(),
            ),
        )
        for number, (name, head) in enumerate((name, head) for name in able for head in config.probes)
    ]
    patient = fanout.model_copy(update={"deadline_seconds": _LONGEST_SECONDS})
    return Job("clip probes", probe_head, items, (HEAD_SUFFIX,), patient.trying_again())


def _named(clips: pd.DataFrame) -> NamedClips:
    return NamedClips(tuple(clips["id"].tolist()), tuple(clips["class_name"].tolist()))


def probe_head(item: HeadItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Writes what a head answered for the validation clips.

    Raises:
        InputError: A file of features is gone, or no class has two training clips.
    """
    classes = class_ids(item.parts[TRAIN_PART].class_names)
    train, validation = (
        ClipFeatures.read(
            [item.folder / f"{clip}{CLIP_FEATURE_SUFFIX}" for clip in part.ids], part.class_names, classes
        )
        for part in (item.parts[TRAIN_PART], item.parts[VALIDATION_PART])
    )
    device = device_of_sequence(item.config.device, item.gpu)
    probed = probe_clips(item.head, train, validation, len(classes), item.config, device)
    with outputs[HEAD_SUFFIX].open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            ranks=probed.ranks,
            predictions=probed.predictions,
            setting=np.array(probed.setting),
            tuning=np.array(json.dumps(list(probed.tuning.items()))),
        )
    return {"setting": probed.setting, "accuracy": float((probed.ranks == 0).mean())}


def read_probed(path: Path) -> ProbedClips:
    """Reads what :func:`probe_head` wrote.

    Raises:
        InputError: The file is gone or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            tuning = {float(setting): float(share) for setting, share in json.loads(str(file["tuning"]))}
            return ProbedClips(float(file["setting"]), tuning, file["ranks"], file["predictions"])
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} holds no answers ({error}). Remedy: delete it and run again.") from error
