"""Checks of what was given with ``--params``: a value that nobody reads would silently do nothing."""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.pipelines.config import SystemParameters

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

PARAMETER_PREFIX = "params:"
_INTERPOLATION = re.compile(r"\$\{(?!(?:globals|runtime_params|oc\.[a-z.]+):)[^}]*\}?")


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts to one level with dotted names."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat.update(flatten(value, f"{name}.") if isinstance(value, dict) else {name: value})
    return flat


def parameter_names(pipeline: "Pipeline") -> list[str]:
    """Names of the parameter blocks that a pipeline reads, without their prefix."""
    return sorted({name for node in pipeline.nodes for name in blocks_read(node)})


def blocks_read(node: "Node") -> list[str]:
    """Names of the parameter blocks that a node reads, without their prefix.

    For all parameters of a system (:class:`~vidrep_pipelines.pipelines.config.SystemParameters`), the blocks
    in them.
    """
    kinds = {
        dataset: argument.annotation
        for argument, dataset in zip(signature(node.func).parameters.values(), node.inputs, strict=False)
    }
    names = []
    for dataset in node.inputs:
        if dataset.startswith(PARAMETER_PREFIX):
            name, kind = dataset.removeprefix(PARAMETER_PREFIX), kinds.get(dataset)
            if isinstance(kind, type) and issubclass(kind, SystemParameters):
                names += [f"{name}.{field}" for field in kind.model_fields]
            else:
                names.append(name)
    return names


def refuse_interpolation(given: Mapping[str, Any]) -> None:
    """Says what is wrong with a path that has ``${`` in it, before OmegaConf looks for what it names.

    Raises:
        ConfigurationError: A value refers to something by ``${...}``, other than by a resolver.
    """
    for name, value in flatten(given).items():
        reference = _INTERPOLATION.search(value) if isinstance(value, str) else None
        if reference is not None:
            raise ConfigurationError(
                f"{name} (--params): {reference.group()!r} in {value!r} would be read as a reference to "
                "another parameter. Remedy: a variable of the shell must not stand in single quotes; a path "
                "that really contains '${' is given by an environment variable (VIDREP_VIDEOS, ...)."
            )


def refuse_data_root(value: str) -> None:
    """Says that ``VIDREP_DATA``, which every path of the catalog is built on, cannot have ``${`` in it.

    Raises:
        ConfigurationError: The value has it.
    """
    if "${" in value:
        raise ConfigurationError(
            f"VIDREP_DATA={value!r}: paths are put together from it, and '${{' in one would be read as a "
            "reference. Remedy: choose or link a folder without it."
        )


def refuse_unknown(given: Mapping[str, Any], known: Iterable[str]) -> None:
    """Compares what was given with the parameters of all registered pipelines.

    Raises:
        ConfigurationError: A parameter is unknown; the message names it and the closest known ones.
    """
    blocks = set(known)
    for name in flatten(given):
        if not _is_read(name, blocks):
            close = _closest(name, blocks) or sorted(blocks)
            raise ConfigurationError(
                f"No pipeline has a parameter {name!r} (--params). Parameters are: {', '.join(close)}."
            )


def _closest(name: str, blocks: Iterable[str]) -> list[str]:
    """The blocks that may have been meant: one of the system or step whose name is closest, and others."""
    of_first: dict[str, list[str]] = defaultdict(list)
    for block in blocks:
        of_first[block.partition(".")[0]].append(block)
    first = difflib.get_close_matches(name.partition(".")[0], of_first, n=1)
    own = difflib.get_close_matches(name, of_first[first[0]], n=1, cutoff=0) if first else []
    return list(dict.fromkeys([*own, *difflib.get_close_matches(name, blocks, n=3, cutoff=0.4)]))


def unread(given: Mapping[str, Any], selected: "Pipeline", registered: "Pipeline") -> dict[str, list[str]]:
    """Parameters that were given and that no selected node reads, each with the nodes that would read it.

    Args:
        given: What ``--params`` says.
        selected: The nodes that are going to run.
        registered: The pipeline that they were selected from.
    """
    blocks = set(parameter_names(selected))
    readers: dict[str, list[str]] = defaultdict(list)
    for node in registered.nodes:
        for block in blocks_read(node):
            readers[block].append(node.name)
    return {
        name: [node for block in readers if _is_read(name, {block}) for node in readers[block]]
        for name in flatten(given)
        if not _is_read(name, blocks)
    }


def describe_unread(names: Mapping[str, list[str]]) -> str:
    """One sentence per parameter, with the remedy."""
    told = [
        f"{name} (read by {', '.join(nodes)}, which is not selected)" if nodes else name
        for name, nodes in names.items()
    ]
    return (
        f"These parameters (--params) are read by no node of this run, so that they change nothing: "
        f"{'; '.join(told)}. Remedy: select a node that reads them, too, for example with --from-nodes."
    )


def _is_read(name: str, blocks: Iterable[str]) -> bool:
    return any(name == block or name.startswith(f"{block}.") for block in blocks)
