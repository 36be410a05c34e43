"""Kedro's commands that only look, ``catalog`` and ``registry``: users' faults are one paragraph, too."""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from kedro.framework.cli.catalog import catalog as kedro_catalog
from kedro.framework.cli.registry import registry as kedro_registry
from kedro.framework.project import pipelines, settings

from vidrep_pipelines.common.former_names import current_pipeline
from vidrep_pipelines.run_command import VERBOSE_OPTION, UserCommand
from vidrep_pipelines.selection import refuse_unknown_environment, refuse_unknown_pipelines


def _with_plain_ends(group: click.Group) -> click.Group:
    """The group with the same commands, each of which ends as ``kedro run`` does."""
    return click.Group(
        name=group.name,
        help=group.help,
        commands={name: _with_plain_end(command) for name, command in group.commands.items()},
    )


def _with_plain_end(command: click.Command) -> click.Command:
    own = [option for option in command.params if "--verbose" not in option.opts]
    return UserCommand(
        name=command.name,
        params=[*own, VERBOSE_OPTION],
        callback=_checked(command.callback),
        help=command.help,
    )


def _checked(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    """What the command does, after a look at the names that it is given; former names are understood."""

    @wraps(callback or _nothing)
    def call(**options: Any) -> Any:
        refuse_unknown_environment(_configuration(), options.get("env") or os.environ.get("KEDRO_ENV"))
        if options.get("pipeline"):
            options["pipeline"] = [current_pipeline(name) for name in options["pipeline"]]
            refuse_unknown_pipelines(options["pipeline"], pipelines)
        if "name" in options:
            options["name"] = current_pipeline(options["name"])
            refuse_unknown_pipelines([options["name"]], pipelines)
        return (callback or _nothing)(**options)

    return call


def _nothing(**_: Any) -> None:
    """Stands for a command that does nothing."""


def _configuration() -> str:
    """The folder of the configuration; one that is named relatively is the project's."""
    metadata = click.get_current_context().obj
    return str(settings.CONF_SOURCE if metadata is None else metadata.project_path / settings.CONF_SOURCE)


catalog = _with_plain_ends(kedro_catalog)
"""``kedro catalog``."""

registry = _with_plain_ends(kedro_registry)
"""``kedro registry``."""
