"""Optional dependencies: imported when they are needed, with a remedy when they are missing."""

from importlib import import_module
from types import ModuleType

from vidrep_pipelines.common.errors import MissingExtraError


def require_extra(module: str, extra: str) -> ModuleType:
    """Imports ``module``, which belongs to the optional dependency group ``extra``.

    Raises:
        MissingExtraError: The module is not installed; the message holds the pip command that installs it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{module} is not installed. Remedy: pip install 'vidrep-pipelines[{extra}]'"
        ) from error
