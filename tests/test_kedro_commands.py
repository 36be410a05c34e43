"""``kedro catalog`` and ``kedro registry``: what they show stays Kedro's, faults are one paragraph."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from kedro.framework.cli.registry import registry as kedro_registry
from kedro.framework.startup import bootstrap_project

from tests.helpers.project import ROOT
from tests.test_user_errors import MOST_LINES, lines_on_a_console
from vidrep_pipelines.cli import cli
from vidrep_pipelines.kedro_commands import catalog, registry


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("VIDREP_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("VIDREP_VERBOSE", raising=False)
    return bootstrap_project(ROOT)


def told(group: click.Group, arguments: str, project: Any) -> Result:
    return CliRunner().invoke(group, arguments.split(), obj=project)


@pytest.mark.parametrize("arguments", ["list", "describe ingest"])
def test_what_is_shown_is_what_kedro_shows(arguments: str, project: Any) -> None:
    ours, theirs = (told(group, arguments, project) for group in (registry, kedro_registry))
    assert ours.exit_code == 0 and ours.output == theirs.output and "ingest" in ours.output


@pytest.mark.parametrize(
    ("group", "arguments", "parts"),
    [
        (registry, "describe pretrain_rps", ["'pretrain_rps'", "mean 'pretrain_rsp'"]),
        (registry, "describe --verbos", ["--verbose"]),
        (catalog, "describe-datasets -p pretrain_rps", ["'pretrain_rps'", "mean 'pretrain_rsp'"]),
        (catalog, "resolve-patterns -p ingets", ["'ingets'", "mean 'ingest'"]),
        (catalog, "list-patterns --env laptp", ["'laptp'", "mean 'laptop'"]),
    ],
)
def test_a_users_fault_is_one_paragraph(
    group: click.Group, arguments: str, parts: list[str], project: Any
) -> None:
    result = told(group, arguments, project)
    assert result.exit_code in (1, 2) and "Traceback" not in result.output
    assert [part for part in parts if part not in result.output] == [], result.output
    assert lines_on_a_console(result.output) <= MOST_LINES


def test_the_environment_asks_for_its_variable(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDREP_DATA")
    result = told(catalog, "list-patterns --env cluster", project)
    assert result.exit_code == 1 and "variable VIDREP_DATA is not set" in result.output


def test_the_command_line_has_them() -> None:
    assert {"catalog", "registry"} <= set(cli.list_commands(click.Context(cli)))
    for name, group in (("catalog", catalog), ("registry", registry)):
        assert cli.get_command(click.Context(cli), name) is group
