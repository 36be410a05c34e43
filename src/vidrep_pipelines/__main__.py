"""Entry point of the installed package: ``python -m vidrep_pipelines`` runs pipelines like ``kedro run``."""

import sys
from pathlib import Path

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main() -> None:
    """Runs the Kedro command line of this project."""
    package_name = Path(__file__).parent.name
    configure_project(package_name)
    # In an interactive session click must not end the interpreter.
    find_run_command(package_name)(standalone_mode=not hasattr(sys, "ps1"))


if __name__ == "__main__":
    main()
