"""What is wrong with values of a configuration, said of the names that their user writes.

Pydantic's own text speaks of input types and ends in the address of a page; whoever misspelled a field wants
to know which one was meant.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from vidrep_pipelines.common.suggestions import did_you_mean

_LONGEST_VALUE = 60
_MOST_NAMES = 12
_QUOTED = re.compile(r"'([^']*)'")
_BEGINNING = re.compile(r"^(Value error|Assertion failed), ")
_LISTS = (list, tuple, set, frozenset, Sequence)


def describe_invalid(error: ValidationError, kind: Any, name: str) -> dict[str, str]:
    """One sentence for every value that is wrong.

    Args:
        error: What pydantic raised.
        kind: The type that was to be built, usually a configuration's class.
        name: What the whole is called, for example ``rsp``.

    Returns:
        Sentences by the dotted names of the values, such as ``rsp.train.steps``.
    """
    hidden = isinstance(kind, type) and _hides_values(kind)
    faults = error.errors(include_url=False, include_context=True)
    return dict(_sentence(fault, kind, name, hidden) for fault in faults)


def _hides_values(kind: type) -> bool:
    return issubclass(kind, BaseModel) and bool(kind.model_config.get("hide_input_in_errors"))


def _sentence(fault: Any, kind: Any, name: str, hidden: bool) -> tuple[str, str]:
    """The name of a wrong value and the sentence about it."""
    where: tuple[int | str, ...] = fault["loc"]
    if fault["type"] == "extra_forbidden":
        place, found = _follow(where[:-1], kind, name)
        return f"{place}.{where[-1]}", _unknown(place, str(where[-1]), found)
    place, _ = _follow(where, kind, name)
    if fault["type"] == "missing":
        return place, f"{place} is missing, and has no default."
    text = _BEGINNING.sub("", fault["msg"]).rstrip(".")
    said = "" if hidden or isinstance(fault["input"], Mapping | BaseModel) else _value(fault["input"])
    if not text.startswith("Input "):
        return place, f"{place}: {text}."
    meant = did_you_mean(str(fault["input"]), _QUOTED.findall(text)) if said else ""
    return place, f"{place} {text.removeprefix('Input ')}{said and f', not {said}'}.{meant}"


def _unknown(place: str, name: str, kinds: Sequence[Any]) -> str:
    known = sorted({field for kind in kinds if _is_model(kind) for field in kind.model_fields})
    meant = did_you_mean(name, known)
    if not meant and known:
        more = ", ..." if len(known) > _MOST_NAMES else ""
        meant = f" It has: {', '.join(known[:_MOST_NAMES])}{more}."
    return f"{place} has no parameter {name!r}.{meant}"


def _value(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _follow(where: tuple[int | str, ...], kind: Any, name: str) -> tuple[str, list[Any]]:
    """The dotted name at pydantic's place of a fault, and the types that may stand there.

    Pydantic's places also name the member of a union that was tried, which no user writes.
    """
    kinds = list(_members(kind))
    for step in where:
        inside, written = _step(step, kinds)
        name += f"[{step}]" if isinstance(step, int) else f".{step}" if written else ""
        kinds = [member for annotation in inside for member in _members(annotation)]
    return name, kinds


def _step(step: int | str, kinds: Sequence[Any]) -> tuple[list[Any], bool]:
    """The types one step farther, and whether the step is a name that a user writes."""
    models = [kind for kind in kinds if _is_model(kind)]
    fields = [kind.model_fields[step].annotation for kind in models if step in kind.model_fields]
    if fields:
        return fields, True
    values = [get_args(kind)[-1] for kind in kinds if get_origin(kind) in (dict, Mapping) and get_args(kind)]
    if values:
        return values, True
    if isinstance(step, int):
        return [entry for kind in kinds if get_origin(kind) in _LISTS for entry in get_args(kind)], True
    tagged = [kind for kind in models if step in _tags(kind)]
    return tagged or list(kinds), False


def _tags(kind: type[BaseModel]) -> Iterator[str]:
    yield kind.__name__
    for field in kind.model_fields.values():
        if get_origin(field.annotation) is Literal:
            yield from map(str, get_args(field.annotation))


def _members(annotation: Any) -> Iterator[Any]:
    """The types of a union, or the one type that there is."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    elif annotation not in (type(None), Ellipsis):
        yield annotation


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
