"""The base class of every configuration object, and the type of the paths in them."""

import ast
import inspect
import os
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict


def _at_home(path: Path) -> Path:
    """``~`` and ``~name`` replaced by home folders; as it is where there is none."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises for a user that does not exist


def at_home(value: object) -> object:
    """A path as ``UserPath`` has it, as text; addresses and what is no path stay."""
    if isinstance(value, str | Path):
        return str(value) if "://" in str(value) else str(_at_home(Path(value)))
    return value


UserPath = Annotated[Path, AfterValidator(_at_home)]
"""A path that a user gives; ``~`` is the home folder, which a shell replaces in few places only."""

UserLocation = Annotated[str, BeforeValidator(at_home)]
"""A local path, with ``~`` as in ``UserPath``, or an address such as ``s3://bucket/folder``."""


class FrozenConfig(BaseModel):
    """An immutable, strictly checked configuration.

    A key the class does not know is an error, so that a misspelled parameter never goes unnoticed, and a
    value is never changed after it was checked. The text under each field is its documentation.
    """

    # Not use_attribute_docstrings: pydantic looks every class up in its source when it is defined, which
    # takes a third of the time in which a command starts. field_documentation does so when somebody asks.
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


def field_documentation(kind: type[BaseModel]) -> dict[str, str]:
    """The text under each field of a configuration, its own and inherited ones, by the field's name."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _own_documentation(base)
    return found


def _own_documentation(kind: type[BaseModel]) -> dict[str, str]:
    (definition,) = ast.parse(dedent(inspect.getsource(kind))).body
    statements = definition.body if isinstance(definition, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(statements)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
