"""Gathers what lies in a data folder for its report: by the catalog, from the records that runs have left."""

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.provenance import Provenance
from vidrep_pipelines.headlines import HEADLINES, Headline, headline_of, headline_rows
from vidrep_pipelines.ledger import TRAIN_METRICS, file_of, training_status
from vidrep_pipelines.reporting.report.published_numbers import published_numbers
from vidrep_pipelines.reporting.report.records import (
    Exhibit,
    FolderReport,
    ReportedData,
    ReportedEvaluation,
    ReportedScore,
    ReportedTraining,
    ScoreBlock,
)
from vidrep_pipelines.training_records import training_curves, training_numbers

if TYPE_CHECKING:
    from kedro.pipeline.node import Node

_REPORT, _FILMS = "report", "films"
_SHOWN = frozenset({".png", ".mp4"})
_MOST_FILMS, _MOST_NUMBERS, _MOST_COUNTS, _MOST_MEASURES = 12, 24, 40, 4
_EVALUATION, _TRAINING = ".downstream_eval.", ".pretrain."
_SUMMARIES = frozenset({"total", "min", "max", "mean", "median"})
_PNG = b"\x89PNG\r\n\x1a\n"
Made = TypeVar("Made")


def gather(catalog: Any, nodes: Iterable["Node"], lineage: Path | None = None) -> FolderReport:
    """Reads all records of a data folder; what cannot be read becomes a sentence in the report.

    Args:
        catalog: Says where everything lies.
        nodes: Those of all pipelines: their outputs are looked for.
        lineage: A picture of what is made from what, shown if it exists.
    """
    return _Gathering(catalog, _makers(nodes)).report(lineage)


def _makers(nodes: Iterable["Node"]) -> dict[str, "Node"]:
    return {output: node for node in nodes for output in node.outputs}


@dataclass
class _Gathering:
    """The catalog, which node makes what, and the faults so far."""

    catalog: Any
    makers: Mapping[str, "Node"]
    faults: list[str] = field(default_factory=list)

    def report(self, lineage: Path | None) -> FolderReport:
        order = {headline.dataset: number for number, headline in enumerate(HEADLINES)}
        named = [(headline, name) for name in self.makers if (headline := headline_of(name)) is not None]
        named.sort(key=lambda each: (order[each[0].dataset], each[1]))
        evaluations = self._each(self._evaluation, named)
        trained = sorted(
            name.removesuffix(TRAIN_METRICS) for name in self.makers if name.endswith(TRAIN_METRICS)
        )
        trainings = self._each(self._training, [(name,) for name in trained])
        data = self._each(self._data, [(name,) for name in self.makers if name.endswith(_REPORT)])
        shown = (
            None if lineage is None or not lineage.is_file() else Exhibit(lineage, "What is made from what")
        )
        return FolderReport(
            folder=self._folder(), evaluations=evaluations, trainings=trainings, data=data, lineage=shown,
            faults=tuple(self.faults),
        )  # fmt: skip

    def _each(self, make: Callable[..., Made | None], items: Iterable[tuple[Any, ...]]) -> tuple[Made, ...]:
        made = []
        for item in items:
            try:
                one = make(*item)
            except Exception as error:  # whatever lies there: the others are shown all the same
                self.faults.append(f"{item[-1]}: {_first_line(error)}")
            else:
                made += [] if one is None else [one]
        return tuple(made)

    def _folder(self) -> str:
        place = file_of(self.catalog, "contact_sheet")
        return "data" if place is None else place.absolute().parent.parent.name

    def _evaluation(self, headline: Headline, name: str) -> ReportedEvaluation | None:
        path = file_of(self.catalog, name)
        if path is None or not path.is_file():
            return None
        import pandas as pd  # noqa: PLC0415 - takes a second, and listing the pipelines comes by here

        blocks = score_blocks(headline, name, pd.read_parquet(path))
        namespace = name.rpartition(".")[0]
        exhibits = (*self._exhibits(namespace, _EVALUATION), *self._films(namespace))
        return ReportedEvaluation(
            _evaluation_name(name), headline.what, blocks, self._provenance(path), exhibits
        )

    def _training(self, name: str) -> ReportedTraining | None:
        metrics, log, checkpoint = (
            file_of(self.catalog, dataset)
            for dataset in (f"{name}{TRAIN_METRICS}", f"{name}.train_log", f"{name}_checkpoint")
        )
        running = None if checkpoint is None else checkpoint.parent / "run" / "train_log.jsonl"
        logged = next((path for path in (log, running) if path is not None and path.is_file()), None)
        if metrics is None or not (metrics.is_file() or logged is not None):
            return None
        known = json.loads(metrics.read_text(encoding="utf-8")) if metrics.is_file() else {}
        curves, costs = training_curves(logged)
        numbers = (*training_numbers(known, checkpoint), *costs)
        exhibits = (*self._exhibits(name, _TRAINING), *_pictures_on_the_way(metrics.parent))
        status = training_status(known) if known else "not finished"
        return ReportedTraining(name, status, numbers, curves, self._provenance(metrics), exhibits)

    def _data(self, name: str) -> ReportedData | None:
        path = file_of(self.catalog, name)
        if path is None or path.suffix != ".json" or not path.is_file():
            return None
        numbers, counts = statistics(json.loads(path.read_text(encoding="utf-8")))
        node = self.makers[name]
        beside = [one for one, maker in self.makers.items() if _group(maker) == _group(node) and one != name]
        title = _words(name.removesuffix(f".{_REPORT}"))
        return ReportedData(title, numbers, counts, tuple(self._shown(beside)))

    def _provenance(self, path: Path) -> Provenance | None:
        try:
            return Provenance.of(path)
        except InputError as error:
            self.faults.append(str(error))
            return None

    def _exhibits(self, namespace: str, stage: str) -> Iterator[Exhibit]:
        own = [name for name in self.makers if name.rpartition(".")[0] == namespace]
        return self._shown(name for name in own if stage in self.makers[name].func.__module__)

    def _shown(self, names: Iterable[str]) -> Iterator[Exhibit]:
        for name in sorted(names):
            path = file_of(self.catalog, name)
            if path is not None and path.suffix in _SHOWN and path.is_file():
                yield Exhibit(path, f"{_words(name)}: {_purpose(self.makers[name])}", _size(path))

    def _films(self, namespace: str) -> Iterator[Exhibit]:
        for name in self.makers:
            folder = file_of(self.catalog, name) if name.endswith(_FILMS) else None
            if folder is not None and name.startswith(f"{namespace}.") and folder.is_dir():
                films = sorted(folder.rglob("*.mp4"))[:_MOST_FILMS]
                yield from (
                    Exhibit(film, film.relative_to(folder).with_suffix("").as_posix()) for film in films
                )


def score_blocks(headline: Headline, name: str, table: Any) -> tuple[ScoreBlock, ...]:
    """The numbers of a headline by measure, with those of papers.

    Args:
        headline: Which rows are meant.
        name: The table's name in the catalog.
        table: The table.
    """
    blocks = []
    for measure, rows in headline_rows(headline, table, _MOST_MEASURES):
        scores = [
            ReportedScore(
                headline.system_of(row.contender, name), row.contender, row.value, row.low, row.high, row.role
            )
            for row in rows
        ]
        if headline.rows_are_measures:
            blocks += [ScoreBlock(score.contender, (score,)) for score in scores]
        else:
            blocks.append(ScoreBlock(measure, tuple(scores), published_numbers(name, measure)))
    return tuple(blocks)


def statistics(
    report: Any,
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, tuple[tuple[str, float], ...]], ...]]:
    """Numbers of a report by name, and its counts: parts of it that hold nothing but numbers.

    Raises:
        ValueError: It is no report.
    """
    if not isinstance(report, Mapping):
        raise ValueError("it holds no report")
    counts = [
        (_words(name), tuple((str(key), float(number)) for key, number in part.items()))
        for name, part in report.items()
        if isinstance(part, Mapping) and 1 < len(part) <= _MOST_COUNTS and _are_counts(part)
    ]
    shown = {title for title, _ in counts}
    numbers = [
        (_words(name), _text(value))
        for name, value in _flat(report)
        if _words(name.partition(".")[0]) not in shown and value not in ({}, [], None)
    ]
    return tuple(numbers[:_MOST_NUMBERS]), tuple(counts)


def _are_counts(part: Mapping[Any, Any]) -> bool:
    """Whether bars of these numbers would mean something: whole numbers of the same kind."""
    whole = all(
        isinstance(value, int) and not isinstance(value, bool) and value >= 0 for value in part.values()
    )
    return whole and not _SUMMARIES & {str(key) for key in part}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        plain = all(isinstance(item, str | int | float) for item in value)
        return ", ".join(map(_text, value)) if plain and len(value) <= 8 else f"{len(value)} entries"
    return str(value)


def _pictures_on_the_way(folder: Path) -> Iterator[Exhibit]:
    """The last picture of each folder of pictures that a training makes at checkpoints."""
    for below in sorted(path for path in folder.glob("*") if path.is_dir()):
        pictures = sorted(below.glob("step-*.png"))
        if pictures:
            step = pictures[-1].stem.removeprefix("step-").lstrip("0")
            caption = f"{_words(below.name)} after update {step or 0}"
            yield Exhibit(pictures[-1], caption, _size(pictures[-1]))


def _size(path: Path) -> tuple[int, int] | None:
    """Width and height of a PNG file, from its first bytes; none of any other."""
    with path.open("rb") as file:
        start = file.read(24)
    if len(start) < 24 or not start.startswith(_PNG):
        return None
    width, height = struct.unpack(">II", start[16:])
    return width, height


def _evaluation_name(dataset: str) -> str:
    """Its namespace; with the table's name where a system's namespace says nothing of the evaluation."""
    namespace, _, table = dataset.rpartition(".")
    headline = headline_of(dataset)
    return namespace if headline is None or not headline.names_system else f"{namespace}: {_words(table)}"


def _group(node: "Node") -> tuple[str | None, str]:
    return node.namespace, str(node.func.__module__)


def _purpose(node: "Node") -> str:
    """The first sentence of what a node's function says of itself, as Kedro-Viz shows it, too."""
    text = " ".join((node.func.__doc__ or node.name).split())
    return text.partition(". ")[0].rstrip(".")


def _words(name: str) -> str:
    return name.replace("_", " ").replace(".", " ")


def _first_line(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.splitlines()[0]
