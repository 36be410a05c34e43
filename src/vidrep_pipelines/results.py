"""The last lines of a run: the scores, on what they were measured, where to look, what to run next."""

import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.headlines import Headline, headline_lines, headline_of, measured_count
from vidrep_pipelines.pipelines.data_in_words import data_in_words, missing_release
from vidrep_pipelines.runtime_parameters import PARAMETER_PREFIX

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol

_SHOWN = {".png", ".mp4", ".html"}
_MOST_FOLDERS, _MOST_FILES = 3, 4
_TRAINED, _LOSS = ".train_metrics", "train/loss"
_log = logging.getLogger(__name__)
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

    The lines are made of what is at hand: tables that nodes have just returned, and paths in the catalog. A
    fault in them is told and costs nothing: the run is done.
    """

    def __init__(self) -> None:
        self._project, self._environment = Path(), ""
        self._found: list[tuple[Headline, Any, str]] = []
        self._trained: list[str] = []
        self._started = 0.0

    @hook_impl
    def after_context_created(self, context: "KedroContext") -> None:
        """Remembers where the project lies and which environment is used."""
        self._project, self._environment = Path(context.project_path), str(context.env or "laptop")

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: "CatalogProtocol[Any, Any]") -> None:
        """Says what an evaluation will measure on, if that is not its data set."""
        self._found, self._trained, self._started = [], [], time.monotonic()
        names = blocks_of(pipeline)
        for headline in filter(None, map(headline_of, sorted(pipeline.all_outputs()))):
            if headline.data in names:
                config = {headline.data: catalog.load(f"{PARAMETER_PREFIX}{headline.data}")}
                if text := missing_release(headline.data, config):
                    click.echo(text)

    @hook_impl
    def after_node_run(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
        """Keeps the tables that are headlines, with the digest of what they were measured on."""
        for name, value in outputs.items():
            headline = headline_of(name)
            if headline is not None and hasattr(value, "columns"):
                self._found.append((headline, value, data_digest(inputs)))
            elif name.endswith(_TRAINED) and isinstance(value, dict):
                self._trained += _training(name.removesuffix(_TRAINED), value)

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
        parameters = {name: catalog.load(f"{PARAMETER_PREFIX}{name}") for name in blocks_of(pipeline)}
        lines = [*self._trained, *(line for found in self._found for line in _measured(*found, parameters))]
        seconds = time.monotonic() - self._started
        lines.append(f"done in {seconds:.0f} s: {facts(self._project, self._environment)}")
        lines += _where_to_look(pipeline, catalog)
        return [*lines, *_what_next(run_params.get("pipeline_names") or ["__default__"])]


def blocks_of(pipeline: Pipeline) -> set[str]:
    """The blocks of parameters that a pipeline reads as a whole."""
    names = {
        name.removeprefix(PARAMETER_PREFIX) for name in pipeline.inputs() if name.startswith(PARAMETER_PREFIX)
    }
    return {name for name in names if "." not in name}


def data_digest(inputs: Mapping[str, Any]) -> str:
    """Changes with the data that a node measured on; empty if none of its inputs knows a digest.

    Args:
        inputs: What the node read, by name. A table with the columns id and digest comes first, then a store.
    """
    for value in inputs.values():
        columns = getattr(value, "columns", ())
        if {"id", "digest"} <= set(columns):
            return digest_of(value["id"].astype(str).tolist(), value["digest"].astype(str).tolist())
    stores = [value for value in inputs.values() if isinstance(getattr(value, "content_digest", None), str)]
    return str(stores[0].content_digest) if stores else ""


def facts(project: Path, environment: str) -> str:
    """Commit, environment and device of this run."""
    return ", ".join(filter(None, [_commit(project), f"environment {environment}", _device()]))


def _measured(headline: Headline, table: Any, digest: str, parameters: Mapping[str, Any]) -> Iterable[str]:
    yield from headline_lines(headline, table)
    words = data_in_words(headline.data, parameters, measured_count(headline, table))
    yield f"measured on: {words}" + (f" (digest {digest})" if digest else "")


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


def _commit(project: Path) -> str:
    """The commit that the code is of, and whether files were changed since; empty outside of a repository."""
    if not (project / ".git").exists():
        return ""
    try:
        commit = _git(project, "rev-parse", "--short", "HEAD")
        changed = _git(project, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"commit {commit}{' with changes' if changed else ''}"


def _git(project: Path, *arguments: str) -> str:
    command = ["git", "-C", str(project), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _device() -> str:
    """The graphics processors, if torch was used here and sees any, else the processor."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        count = torch.cuda.device_count()
        return f"{count} x {torch.cuda.get_device_name(0)}" if count > 1 else torch.cuda.get_device_name(0)
    return f"{os.cpu_count()} cores of {platform.machine()}"


def _where_to_look(pipeline: Pipeline, catalog: "CatalogProtocol[Any, Any]") -> list[str]:
    """The folders of the last pictures and films of the pipeline, with the names of a few."""
    by_folder: dict[Path, list[str]] = {}
    for node in reversed(pipeline.nodes):
        for path in filter(None, (_file(catalog, name) for name in node.outputs)):
            if path.suffix in _SHOWN and path.exists():
                by_folder.setdefault(path.parent, []).append(path.name)
    return [
        f"look at: {_short(folder)}/ ({', '.join(sorted(names)[:_MOST_FILES])})"
        for folder, names in list(by_folder.items())[:_MOST_FOLDERS]
    ]


def _file(catalog: "CatalogProtocol[Any, Any]", name: str) -> Path | None:
    dataset = catalog.get(name)
    place = None if dataset is None else dataset._describe().get("filepath")
    return None if place is None or "://" in str(place) else Path(str(place))


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _what_next(names: Iterable[str]) -> list[str]:
    following = {"__default__": _NEXT["pretrain_rsp"], **_NEXT}
    commands = [f"kedro run --pipelines {following[name]}" for name in names if name in following]
    return [
        f"next: {'; '.join([*commands, 'make mlflow compares runs, make viz shows where files come from'])}"
    ]
