"""Names of an earlier version that users may still write, and what they are called now.

What another system or an evaluation reads has a name of its own, without a dot (``rsp_checkpoint``); what is
only a system's has its namespace before the dot (``rsp.train_log``). Files keep their places on disk.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

PIPELINES: dict[str, str] = {}
"""Names for ``--pipelines``."""

NAMESPACES = {f"voc_{kind}_tokenizer": f"voc_tokenizer_{kind}" for kind in ("vae", "dino", "musik", "joint")}
"""What stands before the dot in names of parameters, datasets and nodes."""

PARAMETERS = {"dmc.agent": "sample_agent"}
"""Blocks of parameters, with all that is below them."""

CLASSES = {
    "vidrep_pipelines.models.voc.tokenizers.vqkd.task:VqkdTask": (
        "vidrep_pipelines.models.voc.tokenizers.dino.task:VqkdTask"
    ),
    "vidrep_pipelines.evaluation.label_propagation.probe:LabelPropagationProbe": (
        "vidrep_pipelines.evaluation.label_propagation.training_probe:LabelPropagationTrainingProbe"
    ),
}
"""Classes that training specifications name, which stay in data folders."""

_DATASET = re.compile(
    r"(.+)\.(checkpoint|video_frames|labelled_videos)|(dmc)\.(frames)|(policy_items)\.(statistics)"
)
"""Datasets that had a dot although others read them: it is an underscore now."""

_UNDERSCORED = re.compile(
    r"(.+)_(checkpoint|video_frames|labelled_videos)|(dmc)_(frames)|(policy_items)_(statistics)"
)
_FORMER_NAMESPACES = {current: former for former, current in NAMESPACES.items()}
_PARAMETER = "params:"
_FORMER_PARAMETERS = "|".join(map(re.escape, [*NAMESPACES, *PARAMETERS]))
_REFERENCE = re.compile(rf"(?<=\$\{{)(?:{_FORMER_PARAMETERS})(?=[.}}])")

_log = logging.getLogger(__name__)


def current_pipeline(name: str) -> str:
    """What a pipeline is called now; any other name as it is."""
    return _said(name, PIPELINES.get(name, name))


def current_namespace(name: str) -> str:
    """A namespace, or the name of a node with its namespace, as it is called now."""
    return _said(name, _in_current_namespace(name))


def current_dataset(name: str) -> str:
    """What a dataset is called now; any other name as it is."""
    return _said(name, renamed_dataset(name))


def renamed_dataset(name: str) -> str:
    """The same, and nobody is told: for names that may not exist at all, and for factories."""
    if name.startswith(_PARAMETER):
        return _PARAMETER + _renamed_parameter(name.removeprefix(_PARAMETER))
    current = _in_current_namespace(name)
    dotted = _DATASET.fullmatch(current)
    return current if dotted is None else "_".join(part for part in dotted.groups() if part)


def current_class(where: str) -> str:
    """Where a class is now, as ``"module:Class"``. Nobody is told: no user writes specifications."""
    return CLASSES.get(where, where)


def former_dataset(name: str) -> str:
    """What a dataset was called before: the inverse of :func:`current_dataset`."""
    underscored = _UNDERSCORED.fullmatch(name)
    former = name if underscored is None else ".".join(part for part in underscored.groups() if part)
    namespace, dot, rest = former.partition(".")
    return f"{_FORMER_NAMESPACES.get(namespace, namespace)}{dot}{rest}"


def current_parameters(given: Mapping[Any, Any]) -> dict[str, Any]:
    """Nested parameters under their current names.

    A value that is given under both names counts under the current one.
    """
    parameters: dict[str, Any] = dict(given)
    for former, current in {**NAMESPACES, **PARAMETERS}.items():
        parameters, block = _without(parameters, former.split("."))
        if block is not _ABSENT:
            _said(former, current)
            parameters = _merged(_nested(current.split("."), block), parameters)
    return parameters


def current_references(value: Any) -> Any:
    """A value, perhaps nested, whose references (``${...}``) to parameters have their current names."""
    if isinstance(value, dict):
        return {key: current_references(below) for key, below in value.items()}
    if isinstance(value, list):
        return [current_references(below) for below in value]
    return (
        _REFERENCE.sub(lambda found: {**NAMESPACES, **PARAMETERS}[found[0]], value)
        if isinstance(value, str)
        else value
    )


_ABSENT = object()


def _in_current_namespace(name: str) -> str:
    namespace, dot, rest = name.partition(".")
    return f"{NAMESPACES.get(namespace, namespace)}{dot}{rest}"


def _renamed_parameter(name: str) -> str:
    for former, current in PARAMETERS.items():
        if name == former or name.startswith(f"{former}."):
            return current + name.removeprefix(former)
    return _in_current_namespace(name)


def _said(former: str, current: str) -> str:
    if former != current:
        _say(former, current)
    return current


@cache
def _say(former: str, current: str) -> None:
    """Once per name and process."""
    _log.warning(
        "%s is called %s now. The former name goes with the next minor version: write the new one.",
        former,
        current,
    )


def _without(tree: dict[str, Any], keys: list[str]) -> tuple[dict[str, Any], object]:
    """A tree without what is at ``keys``, and that; a block that is empty then is left out."""
    first, *rest = keys
    if first not in tree:
        return tree, _ABSENT
    others = {key: value for key, value in tree.items() if key != first}
    if not rest:
        return others, tree[first]
    if not isinstance(tree[first], dict):
        return tree, _ABSENT
    left, value = _without(tree[first], rest)
    return (others | {first: left} if left or value is _ABSENT else others), value


def _nested(keys: Iterable[str], value: object) -> dict[str, Any]:
    first, *rest = keys
    return {first: _nested(rest, value) if rest else value}


def _merged(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """Both trees in one; ``upper`` counts where they differ."""
    merged = dict(lower)
    for key, value in upper.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
