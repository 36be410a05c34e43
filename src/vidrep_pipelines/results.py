"""The last lines of a run: the scores, on what they were measured, where to look, what to run next."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from vidrep_pipelines.headlines import headline_lines, headline_of
from vidrep_pipelines.ledger import EvaluationFinding, RunLedger, blocks_of, file_of
from vidrep_pipelines.pipelines.data_in_words import missing_release
from vidrep_pipelines.runtime_parameters import PARAMETER_PREFIX

if TYPE_CHECKING:
    from kedro.io import CatalogProtocol

_SHOWN = {".png", ".mp4", ".html"}
_MOST_FOLDERS, _MOST_FILES = 3, 4
_LOSS = "train/loss"
_log = logging.getLogger(__name__)
WriteReport = Callable[[RunLedger, "CatalogProtocol[Any, Any]"], Path | None]
"""Writes the report; where to is up to it."""
_VOC = ("vae", "dino", "musik", "joint", "vae_released", "dino_released")
_NEXT = {
    "prepare_clips": "pretrain_rsp",
    "pretrain_rsp": "eval_davis",
    "pretrain_vqvae": "eval_reconstruction",
    "pretrain_carl": "eval_phases",
    "pretrain_carl_penn_action": "eval_phases_penn_action",
    "pretrain_carl_finegym": "eval_phases_finegym",
    "pretrain_carl_kinetics": "eval_phases_kinetics",
    "pretrain_vpp_video": "eval_video_prediction",
    "pretrain_vpp_policy": "eval_rollout",
    **{f"pretrain_voc_{kind}": f"eval_occupancy_{kind}" for kind in _VOC},
}
"""What measures what a pipeline made."""


class ResultHook:
    """Says at the start if a data set is not what an evaluation's name suggests; at the end what came out.

    The lines are made of what is at hand: what the ledger has noted, and paths in the catalog. A fault in
    them is told and costs nothing: the run is done.

    Args:
        ledger: What the run found.
        report: Writes the page of the data folder and gives its path; None where it could not be written.
    """

    def __init__(self, ledger: RunLedger, report: "WriteReport | None" = None) -> None:
        self._ledger, self._report = ledger, report
        self._started = 0.0

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: "CatalogProtocol[Any, Any]") -> None:
        """Says what an evaluation will measure on, if that is not its data set."""
        self._started = time.monotonic()
        names = blocks_of(pipeline)
        for headline in filter(None, map(headline_of, sorted(pipeline.all_outputs()))):
            if headline.data in names:
                config = {headline.data: catalog.load(f"{PARAMETER_PREFIX}{headline.data}")}
                if text := missing_release(headline.data, config):
                    click.echo(text)

    @hook_impl(trylast=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: "CatalogProtocol[Any, Any]"
    ) -> None:
        """Prints the last lines."""
        try:
            lines = self._lines(run_params, pipeline, catalog)
        except Exception as error:
            _log.warning("The run is done; its last lines could not be put together: %r", error)
        else:
            click.echo("\n".join(["", *lines]))

    def _lines(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: "CatalogProtocol[Any, Any]"
    ) -> list[str]:
        ledger, lines = self._ledger, finding_lines(self._ledger)
        seconds = time.monotonic() - self._started
        lines.append(f"done in {seconds:.0f} s: {ledger.facts}")
        lines += _where_to_look(pipeline, catalog)
        lines += _what_next(run_params.get("pipeline_names") or ["__default__"])
        page = None if self._report is None else self._report(ledger, catalog)
        return lines if page is None else [*lines, f"report of all runs: {_short(page)}"]


def finding_lines(ledger: RunLedger) -> list[str]:
    """What a run found: trainings, then the scores of evaluations and what they were measured on."""
    lines = [line for found in ledger.trainings for line in _training(found.system, found.metrics)]
    return lines + [line for found in ledger.evaluations for line in _measured(found)]


def _measured(found: EvaluationFinding) -> Iterable[str]:
    yield from headline_lines(found.headline, found.table)
    digest = found.provenance.data_digest
    yield f"measured on: {found.provenance.measured_on}" + (f" (digest {digest})" if digest else "")


def _training(system: str, metrics: Mapping[str, Any]) -> list[str]:
    """What became of the loss, if the numbers are those of one training."""
    first, last = (metrics.get(when) for when in ("first", "last"))
    if not isinstance(first, Mapping) or not isinstance(last, Mapping) or _LOSS not in last:
        return []
    loss = (
        f"loss {first[_LOSS]:.3g} at first, {last[_LOSS]:.3g} now"
        if _LOSS in first
        else f"loss {last[_LOSS]:.3g}"
    )
    return [f"{system}: {metrics.get('status')} up to update {metrics.get('step')}, {loss}"]


def _where_to_look(pipeline: Pipeline, catalog: "CatalogProtocol[Any, Any]") -> list[str]:
    """The folders of the last pictures and films of the pipeline, with the names of a few."""
    by_folder: dict[Path, list[str]] = {}
    for node in reversed(pipeline.nodes):
        for path in filter(None, (file_of(catalog, name) for name in node.outputs)):
            if path.suffix in _SHOWN and path.exists():
                by_folder.setdefault(path.parent, []).append(path.name)
    return [
        f"look at: {_short(folder)}/ ({', '.join(sorted(names)[:_MOST_FILES])})"
        for folder, names in list(by_folder.items())[:_MOST_FOLDERS]
    ]


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _what_next(names: Iterable[str]) -> list[str]:
    following = {"__default__": _NEXT["pretrain_rsp"], **_NEXT}
    commands = [f"kedro run --pipelines {following[name]}" for name in names if name in following]
    return [
        f"next: {'; '.join([*commands, 'make mlflow compares runs, make viz shows where files come from'])}"
    ]
