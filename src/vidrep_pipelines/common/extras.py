"""Optional dependencies: imported when they are needed, with a remedy when they are missing."""

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from vidrep_pipelines.common.errors import MissingExtraError


def installation(extra: str) -> str:
    """The command that installs an optional dependency group.

    From the project's folder: what an index holds under the project's name need not be this project.
    """
    return f"pip install --constraint constraints.txt --editable '.[{extra}]' (in the project's folder)"


def require_extra(module: str, extra: str) -> ModuleType:
    """Imports ``module``, which belongs to the optional dependency group ``extra``.

    Raises:
        MissingExtraError: The module is not installed; the message holds the pip command that installs it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise _missing(module, extra) from error


def refuse_missing(extra: str, modules: Iterable[str]) -> None:
    """Looks whether a dependency group is there, without importing what takes seconds.

    Args:
        extra: Name of the group.
        modules: What it brings.

    Raises:
        MissingExtraError: One of them is not installed.
    """
    for module in modules:
        if find_spec(module) is None:
            raise _missing(module, extra)


def _missing(module: str, extra: str) -> MissingExtraError:
    return MissingExtraError(f"{module} is not installed. Remedy: {installation(extra)}")
