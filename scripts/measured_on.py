"""Writes the tables of what was measured, in README.md and on the systems' pages, from kept records of runs.

``make measured FROM=data`` takes over what a data folder's runs have left beside their tables, and writes the
pages anew; without ``FROM`` it writes the pages only.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vidrep_pipelines.common.provenance import Provenance
from vidrep_pipelines.headlines import headline_of, headline_rows

ROOT = Path(__file__).resolve().parents[1]
RECORDS, README = ROOT / "docs" / "measured.json", ROOT / "README.md"
BEGIN, END = "<!-- measured: made by scripts/measured_on.py -->", "<!-- end of measured -->"
_MOST_MEASURES = 8

Record = dict[str, Any]
"""What a run left of an evaluation: what, measured_on, pipelines, commit, environment, device, seconds, day,
and blocks: by measure the rows [contender, value, low, high, role]."""


@dataclass(frozen=True)
class MeasuredSystem:
    """A row of the README's table.

    Attributes:
        name: The system.
        page: Its page below docs.
        anchor: Heading of the page that tells more.
        headlines: The tables on the page; of each how many measures the README shows, and under which words.
        paper: Published numbers, which ours do not compare with.
        not_run: What has not been tried.
    """

    name: str
    page: str
    anchor: str
    headlines: Mapping[str, tuple[int, str]]
    paper: str
    not_run: str


SYSTEMS = (
    MeasuredSystem(
        "RSP", "label_propagation.md", "on-the-sample-world", {"davis.summary": (1, "label propagation")},
        "DAVIS-2017 J&F 60.1, ViT-S/16 after Kinetics-400 (as quoted by ToBo)",
        "Kinetics-400; DAVIS, JHMDB and VIP themselves",
    ),
    MeasuredSystem(
        "FEVD-VQVAE", "vqvae.md", "rate-and-distortion",
        {"vqvae.reconstruction_summary": (1, "reconstruction"), "rate_distortion.summary": (3, "codes")},
        "neither weights nor numbers are published", "RoboNet; LPIPS, FVD and FID, which need files",
    ),
    MeasuredSystem(
        "VOC", "voc.md", "on-two-cores",
        {f"voc_{kind}.occupancy_scores": (1, f"`{kind}`") for kind in ("vae", "dino", "musik")},
        "no table of values", "the published replay buffers; DINO's weights",
    ),
    MeasuredSystem(
        "CARL", "carl.md", "on-a-laptop", {"carl.phases_summary": (2, "")},
        "FineGym99, linear probe: 41.8 %; Pouring (not checked against the paper's text): tau 0.992, "
        "phases 93.7 %",
        "Pouring, PennAction, FineGym; the published ResNet-50",
    ),
    MeasuredSystem(
        "VPP, video", "vpp.md", "the-laptops-model", {"video_prediction.summary": (1, "")},
        "FVD 41.4 on Bridge", "Bridge, RT-1, Something-Something; Stable Video Diffusion's weights",
    ),
    MeasuredSystem(
        "VPP, policy", "vpp_policy.md", "closed-loop", {"rollout.successes": (1, "success")},
        "CALVIN ABC to D: 4.33 of 5 instructions in a row", "CALVIN's simulator and data",
    ),
)  # fmt: skip
"""All systems with a laptop run."""


def records_of(folder: Path) -> dict[str, Record]:
    """What the evaluations of a data folder found, by the name of their table.

    Args:
        folder: The data folder; tables without a record of where they come from are left out.
    """
    found = {}
    for path in sorted(folder.rglob("*.provenance.json")):
        table = path.with_name(path.name.removesuffix(".provenance.json") + ".parquet")
        provenance = Provenance.of(table)
        headline = None if provenance is None else headline_of(provenance.dataset)
        if provenance is not None and headline is not None and table.is_file():
            blocks = headline_rows(headline, pd.read_parquet(table), _MOST_MEASURES)
            found[provenance.dataset] = {
                "what": headline.what,
                "measured_on": provenance.measured_on,
                "pipelines": list(provenance.pipelines),
                "commit": provenance.commit,
                "environment": provenance.environment,
                "device": provenance.device,
                "seconds": provenance.seconds,
                "day": provenance.finished[:10],
                "blocks": {
                    measure: [
                        [row.contender, *map(_rounded, (row.value, row.low, row.high)), row.role]
                        for row in rows
                    ]
                    for measure, rows in blocks
                },
            }
    return found


def _rounded(number: float | None) -> float | None:
    """Four digits: more are of no use to a reader, and differ between machines."""
    return None if number is None else float(f"{number:.4g}")


def readme_table(records: Mapping[str, Record]) -> str:
    """One row per system: what was trained, what stands beside it, what papers say, what was not run."""
    lines = [
        "| system | the laptop run | floors and ceilings | the paper | not run |",
        "|---|---|---|---|---|",
    ]
    for system in SYSTEMS:
        ours, beside = [], []
        for dataset, (measures, words) in system.headlines.items():
            record = records.get(dataset, {"blocks": {}})
            for measure, rows in list(record["blocks"].items())[:measures]:
                title = ", ".join(filter(None, (words, measure)))
                ours.append(f"{title}: {_listed(row for row in rows if not row[4])}")
                beside += [f"{title}: {floors}"] if (floors := _listed(row for row in rows if row[4])) else []
        results = "<br>".join(ours) or "not run yet", "<br>".join(beside) or "none"
        cells = (*results, system.paper, system.not_run)
        lines.append(f"| [{system.name}](docs/{system.page}#{system.anchor}) | {' | '.join(cells)} |")
    return "\n".join(lines)


def _listed(rows: Iterable[list[Any]]) -> str:
    return ", ".join(f"{_words(row[0])} {_number(row)}{' (ceiling)' * (row[4] == 'ceiling')}" for row in rows)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _number(row: list[Any]) -> str:
    value, low, high = row[1:4]
    return f"{value:.3g}" if low is None else f"{value:.3g} [{low:.3g}, {high:.3g}]"


def page_tables(system: MeasuredSystem, records: Mapping[str, Record]) -> str:
    """Everything that was measured of a system, and what it was measured on and made with."""
    return "\n\n".join(
        _page_table(dataset, records[dataset]) for dataset in system.headlines if dataset in records
    )


def _page_table(dataset: str, record: Record) -> str:
    lines = [f"`{dataset}`: {record['what']}, with 95 % intervals.", ""]
    lines += ["| measure | who | value | |", "|---|---|---|---|"]
    for measure, rows in record["blocks"].items():
        lines += [f"| {measure} | {row[0]} | {_number(row)} | {row[4]} |" for row in rows]
    return "\n".join([*lines, "", f"Measured on {'; '.join(_origin(record))}."])


def _origin(record: Record) -> Iterator[str]:
    yield record["measured_on"]
    if record["pipelines"]:
        yield ", ".join(f"`kedro run --pipelines {name}`" for name in record["pipelines"])
    if record["commit"]:
        seconds = record["seconds"]
        yield f"{record['day']}, {record['commit']}, {record['device']}" + (
            f", {seconds:.0f} s of that run" if seconds else ""
        )
    else:
        yield "taken over from an earlier version of this page, whose run left no record"


def with_table(text: str, table: str) -> str:
    """The page with the table in place of the one between the marks.

    Raises:
        ValueError: The page has no marks, or several.
    """
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    replaced, count = pattern.subn(lambda _: f"{BEGIN}\n\n{table}\n\n{END}", text)
    if count != 1:
        raise ValueError(f"the page has {count} places for the table, not one: {BEGIN} ... {END}")
    return replaced


def pages(records: Mapping[str, Record]) -> dict[Path, str]:
    """The README and the systems' pages as they are with these records, by path."""
    made = {README: with_table(README.read_text(encoding="utf-8"), readme_table(records))}
    for system in SYSTEMS:
        path = ROOT / "docs" / system.page
        made[path] = with_table(path.read_text(encoding="utf-8"), page_tables(system, records))
    return made


def main(folders: list[str]) -> None:
    """Takes over the records of data folders, and writes the pages."""
    records: dict[str, Record] = json.loads(RECORDS.read_text(encoding="utf-8"))
    for folder in folders:
        records |= records_of(Path(folder))
    RECORDS.write_text(json.dumps(dict(sorted(records.items())), indent=1) + "\n", encoding="utf-8")
    for path, text in pages(records).items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
