"""How a run ends when its user has to do something: one paragraph instead of a traceback."""

import errno
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires

from kedro.config import MissingConfigException
from kedro.io import DatasetError
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from yaml import YAMLError

from vidrep_pipelines.common.errors import VidrepError
from vidrep_pipelines.common.extras import installation
from vidrep_pipelines.common.validation_errors import describe_invalid

LONGEST = 900
"""Letters of a paragraph at most: twelve lines of a narrow terminal, with what is said around it."""

_REMEDY = "Remedy:"
_TRACE = "Traceback (most recent call last)"
_ENVIRONMENT_VARIABLE = re.compile(r"Environment variable '(\w+)' not found")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_FILE = (errno.ENOENT, errno.ENOTDIR)


def describe_fault(error: BaseException) -> str | None:
    """What happened, where, and what helps; none if the fault is one of the program.

    Looks at the error and at those that it was raised from: what a dataset or another process raises reaches
    the command line inside of others.
    """
    chain = list(_chain(error))
    for describe in (_own, _invalid, _configuration, _out_of_memory, _system, _missing_module, _dataset):
        for each in chain:
            text = describe(each)
            if text is not None:
                return shortened(text)
    return None


def shortened(text: str, longest: int = LONGEST) -> str:
    """A text without its middle, if it is too long, so that the remedy stays."""
    if len(text) <= longest:
        return text
    remedy = text[text.rfind(_REMEDY) :] if _REMEDY in text else ""
    remedy = remedy if len(remedy) <= longest // 2 else ""
    return f"{text[: longest - len(remedy) - 5].rstrip()} ... {remedy}".rstrip()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, each once."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__


def _own(error: BaseException) -> str | None:
    """Our errors say all that there is to say, unless they carry another process's traceback."""
    if isinstance(error, VidrepError) and _TRACE not in str(error):
        return str(error)
    return None


def _invalid(error: BaseException) -> str | None:
    if not isinstance(error, ValidationError):
        return None
    return "\n".join(describe_invalid(error, None, error.title).values())


def _configuration(error: BaseException) -> str | None:
    text = str(error)
    if variable := _ENVIRONMENT_VARIABLE.search(text):
        name = variable[1]
        return (
            f"The environment variable {name} is not set, and this environment (--env) has no default. "
            f"Remedy: export {name}=..., or choose an environment that has one (--env laptop)."
        )
    if isinstance(error, OmegaConfBaseException):
        return f"The configuration cannot be put together: {text.splitlines()[0]}. {_CORRECT}"
    if isinstance(error, YAMLError | MissingConfigException) or text.startswith("Duplicate keys found in"):
        return f"The configuration cannot be read. {text} {_CORRECT}"
    return None


_CORRECT = "Remedy: correct the file or the value given with --params."


def _out_of_memory(error: BaseException) -> str | None:
    if type(error).__name__ == "OutOfMemoryError" or "OutOfMemoryError" in str(error):
        return (
            "The memory of the graphics processor is used up. Remedy: a smaller launch.device_batch_size or "
            "batch_size, or a graphics processor that no other program uses."
        )
    if isinstance(error, MemoryError):
        return "The machine's memory is used up. Remedy: fewer fanout.workers and launch.loader_workers."
    return None


def _system(error: BaseException) -> str | None:
    if not isinstance(error, OSError):
        return None
    place = f"{error.filename}: " if error.filename else ""
    if error.errno in _NO_SPACE:
        return (
            f"{place}the disk is full, or a quota used up. What is finished is kept. Remedy: make room, or "
            "set VIDREP_DATA to another disk, then give the same command again."
        )
    if error.errno in _NO_PERMISSION and place:
        return (
            f"{place}this may not be opened or written. Remedy: see whose it is (ls -l), or set VIDREP_DATA."
        )
    if error.errno in _NO_FILE and place:
        return (
            f"{place}there is no such file or folder. Remedy: correct the path; if a pipeline makes it, run "
            "that from its start."
        )
    return None


def _missing_module(error: BaseException) -> str | None:
    """A library that is not installed; none where it is our own module that is missing."""
    if (
        not isinstance(error, ModuleNotFoundError)
        or not error.name
        or error.name.startswith("vidrep_pipelines")
    ):
        return None
    library = error.name.partition(".")[0]
    extra = _extra_of(library)
    return f"{library} is not installed. Remedy: {installation(extra) if extra else f'pip install {library}'}"


def _extra_of(library: str) -> str | None:
    """The optional dependency group of ours that brings a library."""
    try:
        named = requires("vidrep-pipelines") or []
    except PackageNotFoundError:
        return None
    for line in named:
        wanted, _, marker = line.partition(";")
        extra = re.search(r"extra == [\"'](\w+)[\"']", marker)
        if extra and re.split(r"[<>=!~\[ ]", wanted.strip())[0].replace("-", "_") == library:
            return extra[1]
    return None


def _dataset(error: BaseException) -> str | None:
    """What Kedro says of a dataset, without the arguments of its class."""
    if not isinstance(error, DatasetError):
        return None
    text = re.sub(r"dataset [\w.]+\((.*?filepath=\w*\(?'([^']*)'\)?.*)\)\.?(?=\n|$)", r"\2:", str(error))
    text = text.strip().rstrip(".")
    return f"{text}." if _REMEDY in text else f"{text}. Remedy: run the pipeline that makes it (again)."
