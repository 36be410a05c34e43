"""Entry point of the installed package: ``python -m vidrep_pipelines`` runs pipelines like ``kedro run``."""

import os
import sys
from pathlib import Path

_PACKAGE = Path(__file__).parent


def main() -> None:
    """Runs the Kedro command line of this project.

    A wheel brings the configuration along; a folder ``conf`` in the current folder takes its place, and
    ``--conf-source`` names any other.
    """
    logging = _PACKAGE / "conf" / "logging.yml"
    if logging.is_file() and not Path("conf", "logging.yml").is_file():
        os.environ.setdefault("KEDRO_LOGGING_CONFIG", logging.as_posix())
    os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "true")  # as .telemetry says in a clone
    # Kedro reads these variables when it is imported.
    from kedro.framework.cli.utils import find_run_command  # noqa: PLC0415
    from kedro.framework.project import configure_project  # noqa: PLC0415

    configure_project(_PACKAGE.name)
    # In an interactive session click must not end the interpreter.
    find_run_command(_PACKAGE.name)(standalone_mode=not hasattr(sys, "ps1"))


if __name__ == "__main__":
    main()
