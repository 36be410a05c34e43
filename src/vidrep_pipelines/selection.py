"""Names that a command selects: a misspelled one is refused with the one that was meant."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kedro.pipeline import Pipeline

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.suggestions import did_you_mean

_NO_ENVIRONMENTS = {"base"}
_NODE_OPTIONS = {"node_names": "--nodes", "from_nodes": "--from-nodes", "to_nodes": "--to-nodes"}
_DATASET_OPTIONS = {"from_inputs": "--from-inputs", "to_outputs": "--to-outputs"}


def refuse_missing_configuration(conf: str) -> None:
    """Looks for a local folder of configuration, before Kedro does, whose error is about one of its files.

    Raises:
        ConfigurationError: There is none.
    """
    if "://" in conf or Path(conf).is_file() or (Path(conf) / "base").is_dir():
        return
    raise ConfigurationError(
        f"There is no configuration at {conf}: no folder base in it. Remedy: run in the project's folder, or "
        "name a folder or an archive of kedro package with --conf-source."
    )


def refuse_unknown_environment(conf: str, environment: str | None) -> None:
    """Looks for the folder of an environment in a local folder of configuration.

    Raises:
        ConfigurationError: There is none.
    """
    root = Path(conf)
    if not environment or not root.is_dir() or (root / environment).is_dir():
        return
    known = sorted({path.name for path in root.iterdir() if path.is_dir()} - _NO_ENVIRONMENTS)
    raise ConfigurationError(
        f"There is no environment {environment!r} (--env or KEDRO_ENV): {root} has no such folder."
        f"{did_you_mean(environment, known)} Remedy: one of {', '.join(known)}, or make the folder."
    )


def refuse_unknown_pipelines(names: Iterable[str], known: Iterable[str]) -> None:
    """Compares names of pipelines with the registered ones.

    Raises:
        ConfigurationError: One is unknown.
    """
    registered = set(known)
    for name in names:
        if name not in registered:
            raise ConfigurationError(
                f"There is no pipeline {name!r} (--pipelines).{did_you_mean(name, registered)} Remedy: kedro "
                "registry list shows all."
            )


def refuse_unknown_selection(options: Mapping[str, Any], pipeline: Pipeline) -> None:
    """Compares names of nodes, namespaces, tags and datasets with those of a pipeline.

    Args:
        options: The options of a run by Kedro's names, such as ``from_nodes``.
        pipeline: What they select from.

    Raises:
        ConfigurationError: One is unknown.
    """
    nodes = {node.name for node in pipeline.nodes}
    spaces = {space for node in pipeline.nodes for space in node.namespace_prefixes}
    for option, label in _NODE_OPTIONS.items():
        _refuse(options.get(option), nodes, label, "node")
    for option, label in _DATASET_OPTIONS.items():
        _refuse(options.get(option), pipeline.datasets(), label, "dataset")
    _refuse(options.get("namespaces"), spaces, "--namespaces", "namespace")
    tags = {tag for node in pipeline.nodes for tag in node.tags}
    given = set(options.get("tags") or ())
    if given and not given & tags:
        _refuse(sorted(given), tags, "--tags", "tag")


def _refuse(names: Iterable[str] | None, known: Iterable[str], option: str, what: str) -> None:
    every = set(known)
    for name in names or ():
        if name not in every:
            raise ConfigurationError(
                f"The selected pipelines have no {what} {name!r} ({option}).{did_you_mean(name, every)} "
                "Remedy: kedro registry describe NAME lists the nodes of a pipeline."
            )
