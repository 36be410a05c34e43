"""What a result was measured on and made with: a small record beside its file."""

import json
from pathlib import Path
from typing import Self

from pydantic import ConfigDict, Field, ValidationError

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError

_ENDING = ".provenance.json"


class Provenance(FrozenConfig):
    """Where a result comes from: data, code, machine."""

    model_config = ConfigDict(extra="ignore")  # what a later version adds

    dataset: str
    """Name of the result in the catalog."""

    measured_on: str = ""
    """The data in words, such as ``12 clips of the sample world in VIP's layout, not VIP``."""

    is_benchmark: bool = False
    """Whether the data are a published data set's, all of them, so that published numbers are comparable."""

    data_digest: str = ""
    """Changes with the data."""

    result_digest: str = ""
    """Changes with the result."""

    commit: str = ""
    """Commit of the code, and whether files were changed since."""

    environment: str = ""
    """Environment of the configuration."""

    device: str = ""
    """Processors that it was computed on."""

    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of Python and of the libraries that decide."""

    pipelines: tuple[str, ...] = ()
    """The pipelines of the run."""

    finished: str = ""
    """When, in ISO 8601."""

    seconds: float | None = None
    """Time that the nodes of its namespace took in that run; what was done in earlier runs is not in it."""

    peak_memory_gibibytes: float | None = None
    """Most memory of one process up to then."""

    @staticmethod
    def path_of(result: Path) -> Path:
        """Where the record of a result's file lies: beside it."""
        return result.with_name(f"{result.stem}{_ENDING}")

    @classmethod
    def of(cls, result: Path) -> Self | None:
        """The record of a result; none if there is none.

        Args:
            result: The result's file.

        Raises:
            InputError: The record is damaged.
        """
        path = cls.path_of(result)
        try:
            return cls.model_validate(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, ValidationError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{path} is damaged ({reason}). Remedy: delete it.") from error

    def write_beside(self, result: Path) -> None:
        """Writes the record, in place of an earlier one.

        Args:
            result: The result's file.
        """
        with atomic_file(self.path_of(result)) as temporary:
            temporary.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
