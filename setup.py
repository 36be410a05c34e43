"""Puts conf/ into the wheel, as vidrep_pipelines/conf, so that an installed package runs without a clone.

All the rest is in pyproject.toml.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfiguration(build_py):
    """Copies the configuration beside the modules; an editable installation reads the clone's own."""

    def run(self) -> None:
        """Builds the package."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "vidrep_pipelines" / "conf"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree("conf", target, ignore=shutil.ignore_patterns("local"))


setup(cmdclass={"build_py": BuildWithConfiguration})
