"""``kedro run`` of this project: as Kedro's, but a fault of its user ends in one paragraph."""

import sys
from typing import IO, Any

import click
from kedro.framework.cli.project import run as kedro_run

from vidrep_pipelines.console import failed_node
from vidrep_pipelines.faults import describe_fault

VERBOSE = "VIDREP_VERBOSE"


class UserFault(click.ClickException):
    """Ends the command with a message on standard error, and the exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the message; to standard error unless told otherwise."""
        click.secho(self.message, file=file or sys.stderr, fg="yellow" if sys.stderr.isatty() else None)


class UserCommand(click.Command):
    """A command of this project: faults of its user end in one paragraph."""

    def invoke(self, ctx: click.Context) -> Any:
        """Does what the command is for.

        Raises:
            UserFault: Somebody has to correct, install or free something before this can work.
            Exception: A fault of the program, or any with ``--verbose``.
        """
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            text = None if ctx.meta.get(VERBOSE) else describe_fault(error)
            if text is None:
                raise
            raise UserFault(_paragraph(text, error)) from error


def _paragraph(text: str, error: Exception) -> str:
    stopped = type(error).__name__ == "TrainingInterrupted"
    node = failed_node(error)
    where = f" in node {node}" if node else ""
    heading = f"Stopped{where}:" if stopped else f"Error{where}:"
    hint = "" if stopped else f"\nWhere in the code: add --verbose, or set {VERBOSE}=1."
    return f"{heading} {text}{hint}"


def _remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[VERBOSE] = value


VERBOSE_OPTION = click.Option(
    ["--verbose", "-v"],
    is_flag=True,
    envvar=VERBOSE,
    expose_value=False,
    callback=_remember,
    help=f"Show where in the code a fault was found. {VERBOSE}=1 says the same.",
)
"""Of every command."""

run = UserCommand(
    name="run",
    params=[*kedro_run.params, VERBOSE_OPTION],
    callback=kedro_run.callback,
    help=kedro_run.help,
)
"""The command."""
