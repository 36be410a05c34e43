"""What the report of a data folder shows, as plain records."""

from dataclasses import dataclass
from pathlib import Path

from vidrep_pipelines.common.provenance import Provenance


@dataclass(frozen=True)
class Exhibit:
    """A picture or a film, shown where it lies.

    Attributes:
        file: The file.
        caption: What it shows.
        size: Width and height in pixels, where they are known.
    """

    file: Path
    caption: str
    size: tuple[int, int] | None = None

    @property
    def is_film(self) -> bool:
        """Whether it moves."""
        return self.file.suffix == ".mp4"


@dataclass(frozen=True)
class PublishedNumber:
    """A number of a paper.

    Attributes:
        dataset: Name of our table in the catalog.
        measure: The measure, as our table calls it.
        system: What was measured.
        value: The number.
        setting: Model, training data, and whatever else it depends on.
        source: Where it was published.
    """

    dataset: str
    measure: str
    system: str
    value: float
    setting: str
    source: str


@dataclass(frozen=True)
class ReportedScore:
    """A number with its interval.

    Attributes:
        system: What was measured, under one name over all evaluations.
        contender: The same as the evaluation calls it.
        value: The number.
        low: Lower end of the 95 % interval; none if there is no interval.
        high: Upper end.
        role: ``floor`` for what needs no training, ``ceiling`` for what knows too much, else empty.
    """

    system: str
    contender: str
    value: float
    low: float | None = None
    high: float | None = None
    role: str = ""


@dataclass(frozen=True)
class ScoreBlock:
    """The numbers of one measure.

    Attributes:
        measure: Its name; empty where the evaluation has no other.
        scores: Of every contender.
        published: Numbers of papers for the same measure.
    """

    measure: str
    scores: tuple[ReportedScore, ...]
    published: tuple[PublishedNumber, ...] = ()


@dataclass(frozen=True)
class ReportedEvaluation:
    """One evaluation.

    Attributes:
        name: Its namespace, such as ``davis``.
        what: What the numbers are.
        blocks: The numbers, the main measure first.
        provenance: What it was measured on and made with; none for results of earlier versions.
        exhibits: Pictures and films.
    """

    name: str
    what: str
    blocks: tuple[ScoreBlock, ...]
    provenance: Provenance | None = None
    exhibits: tuple[Exhibit, ...] = ()

    @property
    def is_of_one_system(self) -> bool:
        """Whether nothing stands beside the numbers, so that one table holds them all."""
        return all(len(block.scores) == 1 and not block.published for block in self.blocks)


@dataclass(frozen=True)
class ReportedCurve:
    """A number over a training.

    Attributes:
        name: Its name.
        steps: Updates.
        values: As many values, none of them NaN.
    """

    name: str
    steps: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class ReportedTraining:
    """One training.

    Attributes:
        name: The model's name.
        status: What became of it: ``trained``, ``resumed``, ``up to date``, ``not finished``.
        numbers: Names and texts: updates, passes, time, memory, digests.
        curves: Losses and what was measured while training.
        provenance: What it was trained on and made with; none for trainings of earlier versions.
        exhibits: Pictures and films.
    """

    name: str
    status: str
    numbers: tuple[tuple[str, str], ...] = ()
    curves: tuple[ReportedCurve, ...] = ()
    provenance: Provenance | None = None
    exhibits: tuple[Exhibit, ...] = ()


@dataclass(frozen=True)
class ReportedData:
    """Statistics of a data set or of a filter.

    Attributes:
        name: What they are of.
        numbers: Names and texts.
        counts: Counts by name under a title each, to be compared with one another.
        exhibits: Pictures and films.
    """

    name: str
    numbers: tuple[tuple[str, str], ...] = ()
    counts: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()
    exhibits: tuple[Exhibit, ...] = ()


@dataclass(frozen=True)
class FolderReport:
    """All that is known of a data folder.

    Attributes:
        folder: Its name.
        evaluations: In the order in which they are shown.
        trainings: Likewise.
        data: Likewise.
        lineage: A picture of what is made from what, or the page that shows it.
        faults: What could not be read, a sentence each.
    """

    folder: str
    evaluations: tuple[ReportedEvaluation, ...] = ()
    trainings: tuple[ReportedTraining, ...] = ()
    data: tuple[ReportedData, ...] = ()
    lineage: Exhibit | None = None
    faults: tuple[str, ...] = ()
