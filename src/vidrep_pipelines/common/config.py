"""The base class of every configuration object, and the type of the paths in them."""

import os
from pathlib import Path
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

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=()
    )
