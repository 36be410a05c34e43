"""Parameters that their configuration refuses: which, why, and where they were written."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from kedro.pipeline import Pipeline
from kedro.validation.type_extractor import TypeExtractor
from kedro.validation.utils import _MISSING, resolve_nested_dict_path
from pydantic import BaseModel, ValidationError

from vidrep_pipelines.common.validation_errors import describe_invalid
from vidrep_pipelines.project_config import STANDS_ON

_MOST_FAULTS = 5


def describe_parameter_faults(
    values: Mapping[str, Any], pipelines: Mapping[str, Pipeline], loader: OmegaConfigLoader
) -> str:
    """What is wrong with the values that the nodes of these pipelines read; empty if nothing is.

    Args:
        values: All parameters as they were read, nested.
        pipelines: The pipelines whose parameters count, by name.
        loader: What read them, to say where a value comes from.
    """
    sentences: dict[str, str] = {}
    for name, kind in TypeExtractor(dict(pipelines)).extract_types_from_pipelines().items():
        value = resolve_nested_dict_path(dict(values), name)
        if isinstance(kind, type) and issubclass(kind, BaseModel) and value is not _MISSING:
            sentences |= _faults(name, value, kind)
    shown = [f"{_origin(name, loader)}{text}" for name, text in list(sentences.items())[:_MOST_FAULTS]]
    more = len(sentences) - len(shown)
    return "\n".join([*shown, *([f"... and {more} more."] if more else [])])


def _faults(name: str, value: Any, kind: type[BaseModel]) -> dict[str, str]:
    if value is None:
        return {name: f"{name} is empty. Remedy: give it values, or leave the name out."}
    if not isinstance(value, Mapping):
        return {
            name: f"{name} is a block of parameters, not {value!r}. Remedy: give one of them, {name}.<name>."
        }
    try:
        kind.model_validate(value)
    except ValidationError as error:
        return describe_invalid(error, kind, name)
    return {}


def _origin(name: str, loader: OmegaConfigLoader) -> str:
    """Where somebody wrote the value, with a colon; nothing for a value that stands nowhere by itself."""
    path = name.replace("[", ".").replace("]", "").split(".")
    if _holds(loader.runtime_params or {}, path):
        return "--params: "
    root = Path(loader.conf_source)
    chosen = str(loader.env or loader.default_run_env)
    layers = [chosen, STANDS_ON.get(chosen), loader.base_env]
    for environment in dict.fromkeys(filter(None, layers)):
        for file in _parameter_files(root / str(environment)):
            if _holds(yaml.safe_load(file.read_text(encoding="utf-8")), path):
                return f"{file.relative_to(root.parent).as_posix()}: "
    return ""


def _parameter_files(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.rglob("parameters*") if path.suffix in (".yml", ".yaml", ".json"))


def _holds(tree: Any, path: list[str]) -> bool:
    """Whether a value stands there, or the first entries of one: places inside of lists do not count."""
    for step in path:
        if not isinstance(tree, Mapping):
            return isinstance(tree, list)
        if step not in tree:
            return False
        tree = tree[step]
    return True
