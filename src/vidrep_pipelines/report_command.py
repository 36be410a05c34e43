"""``kedro report``: one page of all that was trained and measured in the data folder."""

from typing import Any

import click
from kedro.framework.session import KedroSession

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.folder_report import BESIDE, write_report
from vidrep_pipelines.run_command import VERBOSE_OPTION, UserCommand


@click.pass_obj
def _report(metadata: Any, env: str | None) -> None:
    session: Any = KedroSession.create(metadata.project_path, env=env)
    with session:
        context: Any = session.load_context()
        place = write_report(metadata.project_path, context.catalog)
    if place is None:
        raise InputError(f"The catalog has no {BESIDE}, beside which the report would lie.")
    click.echo(f"Wrote {place}. Open it with any browser; it needs no server.")


report = UserCommand(
    name="report",
    params=[click.Option(["--env", "-e"], help="Environment of the configuration."), VERBOSE_OPTION],
    callback=_report,
    help="Write one page of all that was trained and measured in the data folder.",
)
"""The command."""
