"""Commands that this project adds to Kedro's command line or changes; each is imported when called."""

from importlib import import_module
from typing import Any

from kedro.framework.cli.utils import LazyGroup

cli = LazyGroup(
    name="kedro",
    lazy_subcommands={
        "run": "vidrep_pipelines.run_command.run",
        "report": "vidrep_pipelines.report_command.report",
        "catalog": "vidrep_pipelines.kedro_commands.catalog",
        "registry": "vidrep_pipelines.kedro_commands.registry",
    },
)


def __getattr__(name: str) -> Any:
    """``run``, which an installed package's entry point asks for by name."""
    if name == "run":
        return import_module("vidrep_pipelines.run_command").run
    raise AttributeError(name)
