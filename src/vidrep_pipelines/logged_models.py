"""What a tracking server is told of models that a run trained or measured: no weights, all numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.pipeline import Pipeline

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.headlines import headline_rows
from vidrep_pipelines.ledger import TRAIN_METRICS, EvaluationFinding, Finding, TrainingFinding
from vidrep_pipelines.models.shared.catalog_checkpoint import META, Checkpoint, read_meta
from vidrep_pipelines.runtime_parameters import flatten

_CHECKPOINT = "_checkpoint"
_FACTS: tuple[str, ...] = ("step", "passes", "digest")
_PLACE_PARTS = 3
"""Of a checkpoint's folder: what is the same wherever the data root lies."""


@dataclass(frozen=True)
class ModelNumbers:
    """Numbers of a model on one data set.

    Attributes:
        data: For what the data were read, such as ``davis``.
        data_digest: Changes with the data.
        values: The numbers.
    """

    data: str
    data_digest: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class PublishedModel:
    """A checkpoint of the catalog.

    Attributes:
        name: The system, and which of its models: ``rsp``, ``voc_tokenizer_vae``.
        digest: Changes with the weights and with what rebuilds the model.
        place: Its folder, below the data root.
        facts: Where it came from: updates, passes over the data, digest of its run.
        numbers: What this run found out about it.
    """

    name: str
    digest: str
    place: str
    facts: Mapping[str, str]
    numbers: Sequence[ModelNumbers] = ()


def published_models(pipeline: Pipeline, catalog: Any, found: Sequence[Finding]) -> Iterator[PublishedModel]:
    """The models that a pipeline publishes, or reads, as far as they are in the catalog now.

    Args:
        pipeline: What ran.
        catalog: Its catalog.
        found: What the run found: trainings and headlines of evaluations.

    Raises:
        InputError: A checkpoint is damaged.
    """
    names = (name for name in sorted(pipeline.datasets()) if name.endswith(_CHECKPOINT) and "." not in name)
    for dataset in names:
        checkpoint = catalog.load(dataset) if catalog.exists(dataset) else None
        if not isinstance(checkpoint, Checkpoint):
            continue
        name = dataset.removesuffix(_CHECKPOINT)
        numbers = [own for each in found if (own := _numbers(each, name)) is not None]
        folder = checkpoint.directory
        facts = {key: str(checkpoint.meta[key]) for key in _FACTS if key in checkpoint.meta}
        yield PublishedModel(name, _digest(folder, checkpoint), _place(folder), facts, numbers)


def _digest(folder: Path, checkpoint: Checkpoint) -> str:
    """That of the checkpoint, without reading gigabytes of weights where their digest was kept."""
    weights = read_meta(folder / META)[1]
    return checkpoint.digest if weights is None else digest_of(weights, checkpoint.config)


def _place(folder: Path) -> str:
    return "/".join(folder.absolute().parts[-_PLACE_PARTS:])


def _numbers(found: Finding, model: str) -> ModelNumbers | None:
    data, name = found.provenance.dataset, found.provenance.dataset.rpartition(".")[0]
    if isinstance(found, TrainingFinding):
        values = _training_numbers(found) if data == f"{model}{TRAIN_METRICS}" else {}
    else:
        values = _evaluation_numbers(found, model)
    digest = found.provenance.data_digest or digest_of(found.provenance.measured_on)
    return ModelNumbers(name, digest, values) if values else None


def _training_numbers(found: TrainingFinding) -> dict[str, float]:
    return {
        f"training/{key}": float(value)
        for key, value in flatten(dict(found.metrics)).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _evaluation_numbers(found: EvaluationFinding, model: str) -> dict[str, float]:
    """Of every measure of the headline, the model's own number; the floors' are in the run."""
    headline, dataset = found.headline, found.provenance.dataset
    namespace, _, table = dataset.rpartition(".")
    evaluation = table if headline.names_system else namespace
    values = {}
    for measure, rows in headline_rows(headline, found.table):
        for row in rows:
            if row.role or headline.system_of(row.contender, dataset) != model:
                continue
            what = row.contender if headline.rows_are_measures or not measure else measure
            values[f"{evaluation}/{what}"] = row.value
    return values
