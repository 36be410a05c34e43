"""The reference of all parameters, made from the configuration classes and the texts under their fields."""

import re
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from vidrep_pipelines.common.config import field_documentation
from vidrep_pipelines.pipeline_registry import register_pipelines

PARAMETERS = "params:"
_LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "multiple_of": "a multiple of"}
_ROLE = re.compile(r":\w+:`~?([^`]+)`")

Config = type[BaseModel]


def page() -> str:
    """The page in Markdown: blocks by name, then every class once."""
    blocks = blocks_of_parameters()
    order = list(dict.fromkeys(kind for kinds in blocks.values() for kind in kinds))
    every = list(dict.fromkeys(inner for kind in order for inner in reachable(kind)))
    lines = [
        "# All parameters",
        "",
        "Made from the configuration classes. A parameter is a block, a dot and a field: `rsp.train.steps`.",
        "Defaults here are those of the classes, mostly the published values; the rest is set by",
        "`conf/base/<subject>/parameters.yml`, and what differs on a laptop or a cluster by",
        "[environments](../parameters.md).",
        "",
        "| block | fields |",
        "|---|---|",
        *(
            f"| `{name}` | {', '.join(link(kind) for kind in kinds)} |"
            for name, kinds in sorted(blocks.items())
        ),
    ]
    for kind in every:
        lines += ["", *section(kind)]
    return "\n".join(lines) + "\n"


def blocks_of_parameters() -> dict[str, list[Config]]:
    """The class that every block is checked by; several where nodes read it differently."""
    blocks: dict[str, list[Config]] = {}
    nodes = {node.name: node for pipeline in register_pipelines().values() for node in pipeline.nodes}
    for node in nodes.values():
        hints = get_type_hints(node.func)
        for argument, dataset in zip(node.func.__code__.co_varnames, node.inputs, strict=False):
            if dataset.startswith(PARAMETERS):
                for kind in configs_in(hints.get(argument)):
                    known = blocks.setdefault(dataset.removeprefix(PARAMETERS), [])
                    if kind not in known:
                        known.append(kind)
    return blocks


def reachable(kind: Config) -> Iterator[Config]:
    """A class and those of its fields, each before its own."""
    seen: set[Config] = set()
    waiting = [kind]
    while waiting:
        current = waiting.pop(0)
        if current not in seen:
            seen.add(current)
            yield current
            waiting += [
                inner for field in current.model_fields.values() for inner in configs_in(field.annotation)
            ]


def configs_in(hint: Any) -> list[Config]:
    """The configuration classes that values of an annotation may be, or hold."""
    hint = getattr(hint, "__bound__", None) or hint if isinstance(hint, TypeVar) else hint
    if isinstance(hint, type) and not get_args(hint):
        return [hint] if issubclass(hint, BaseModel) else []
    return [kind for inner in get_args(hint) for kind in configs_in(inner)]


def section(kind: Config) -> list[str]:
    """What the reference says of a class."""
    first = plain((kind.__doc__ or "").split("\n\n")[0])
    lines = [f"## {kind.__name__}", "", f"`{source(kind)}`. {first}"]
    if issubclass(kind, RootModel):
        return [
            *lines,
            "",
            f"One of: {', '.join(map(link, configs_in(kind.model_fields['root'].annotation)))}.",
        ]
    if not kind.model_fields:
        return lines
    texts = field_documentation(kind)
    lines += ["", "| field | type | default | |", "|---|---|---|---|"]
    for name, field in kind.model_fields.items():
        cells = [f"`{name}`", type_words(field), default_words(field), plain(texts.get(name, ""))]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def link(kind: Config) -> str:
    """A link to a class on the same page."""
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def source(kind: Config) -> str:
    """The file that a class is in, as comments in the configuration name it."""
    return Path(*kind.__module__.split(".")[1:]).with_suffix(".py").as_posix()


def plain(text: str) -> str:
    """A docstring as one line of Markdown."""
    return (
        re.sub(r"\s+", " ", _ROLE.sub(r"`\1`", text).replace("``", "`"))
        .strip()
        .replace("<", "&lt;")
        .replace("*", "\\*")
    )


def type_words(field: FieldInfo) -> str:
    """The type of a field and its limits, in words."""
    limits = [
        f"{words} {value}"
        for item in field.metadata
        for name, words in _LIMITS.items()
        if (value := getattr(item, name, None)) is not None
    ]
    return ", ".join([_words(field.annotation), *limits])


def _words(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if hint is None or hint is type(None):
        return "none"
    if origin is Annotated:
        return _words(inner[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_words(each) for each in inner))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"{_words(inner[0])} to {_words(inner[1])}"
    if origin is tuple and Ellipsis not in inner:
        return f"({', '.join(map(_words, inner))})"
    if origin in (tuple, list, set, frozenset):
        return f"list of {_words(inner[0])}"
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return link(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(f"`{value.value}`" for value in hint)
    return {
        "str": "text",
        "int": "whole number",
        "float": "number",
        "bool": "true, false",
        "Path": "path",
    }.get(getattr(hint, "__name__", ""), str(getattr(hint, "__name__", hint)))


def default_words(field: FieldInfo) -> str:
    """The default of a field; empty if it must be given."""
    value = field.default
    if field.default_factory is not None:
        return "its defaults"
    if value is PydanticUndefined:
        return "to be given"
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return "its defaults" if value == _default_of(type(value)) else f"`{value!r}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def _default_of(kind: Config) -> BaseModel | None:
    try:
        return kind()
    except ValueError:
        return None
