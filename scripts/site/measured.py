"""What pipelines took and found when they were last run for the documentation: docs/pipelines_measured.json.

    python -m scripts.site.measured FOLDER...

takes the records that runs of the laptop environment left in data folders, in place of former ones.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.pipeline import Node

from vidrep_pipelines.common.portable_paths import text_without_places
from vidrep_pipelines.common.provenance import Provenance
from vidrep_pipelines.headlines import headline_of, headline_rows

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ROOT / "docs/pipelines_measured.json"
_RECORDS = "08_reporting/**/*.provenance.json"
_TRAINED = ".train_metrics"
_ENVIRONMENT = "laptop"
_MOST_ROWS = 4

Record = dict[str, Any]


def main() -> None:
    """Writes the file."""
    known = records() | {
        name: record for folder in sys.argv[1:] for name, record in found(Path(folder)).items()
    }
    MEASURED.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n", encoding="utf-8")
    print(f"{MEASURED.relative_to(ROOT)} tells of {len(known)} results")


def records() -> dict[str, Record]:
    """What is known, by dataset."""
    return dict(json.loads(MEASURED.read_text(encoding="utf-8"))) if MEASURED.is_file() else {}


def found(folder: Path) -> dict[str, Record]:
    """The results in a data folder that a run of the laptop environment has left a record of."""
    made: dict[str, Record] = {}
    for path in sorted(folder.glob(_RECORDS)):
        stem = path.name.removesuffix(".provenance.json")
        result = next(
            (place for end in ("parquet", "json") if (place := path.with_name(f"{stem}.{end}")).is_file()),
            None,
        )
        record = None if result is None else Provenance.of(result)
        if result is None or record is None or record.environment != _ENVIRONMENT or not record.seconds:
            continue
        text = summary(record.dataset, result)
        if text:
            made[record.dataset] = {
                "seconds": record.seconds,
                "device": record.device,
                "result": text,
                "measured_on": text_without_places(record.measured_on),
                "pipelines": list(record.pipelines),
                "commit": record.commit.removeprefix("commit "),
                "day": record.finished[:10],
            }
    return made


def summary(dataset: str, result: Path) -> str:
    """The headline of a result in one line: an evaluation's main measure, or what became of a loss."""
    if dataset.endswith(_TRAINED):
        return _loss(json.loads(result.read_text(encoding="utf-8")))
    headline = headline_of(dataset)
    if headline is None:
        return ""
    blocks = headline_rows(headline, pd.read_parquet(result), measures=1)
    if not blocks:
        return ""
    measure, rows = blocks[0]
    numbers = [
        f"{row.contender} {row.value:.3g}"
        + ("" if row.low is None or row.high is None else f" [{row.low:.3g}, {row.high:.3g}]")
        + (f" ({row.role})" if row.role else "")
        for row in rows[:_MOST_ROWS]
    ]
    return f"{measure or headline.what}: {', '.join(numbers)}"


def _loss(metrics: Mapping[str, Any]) -> str:
    first, last = (metrics.get(when) or {} for when in ("first", "last"))
    name = "train/loss"
    if not isinstance(last, Mapping) or name not in last:
        return ""
    begun = f"{first[name]:.3g} to " if isinstance(first, Mapping) and name in first else ""
    return f"{metrics.get('step')} updates, loss {begun}{last[name]:.3g}"


def told(pipeline: str, nodes: Iterable[Node]) -> str:
    """What a table says of a pipeline's results; nothing where none was measured.

    Args:
        pipeline: Its name: what encoders an evaluation compares depends on it.
        nodes: Those whose results are told.
    """
    known = records()
    texts = []
    for dataset in (name for node in nodes for name in node.outputs if name in known):
        record = known[dataset]
        if not dataset.endswith(_TRAINED) and pipeline not in record["pipelines"]:
            continue
        texts.append(
            f"{record['seconds'] / 60:.1f} min on {record['device']}: {record['result']}; "
            f"{record['measured_on']} ({record['day']}, {record['commit']})"
        )
    return "<br>".join(texts)


if __name__ == "__main__":
    main()
