from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

from tests.helpers.html_page import Page
from vidrep_pipelines.report_command import report


def test_the_command_says_where_the_page_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project_root: Path
) -> None:
    monkeypatch.setenv("VIDREP_DATA", str(tmp_path / "mine"))
    result = CliRunner().invoke(report, [], obj=bootstrap_project(project_root))
    page = tmp_path / "mine" / "08_reporting" / "report.html"
    assert result.exit_code == 0 and f"Wrote {page}." in result.output
    parsed = Page(page.read_text())
    assert parsed.faults == [] and "Nothing was trained or measured here yet" in parsed.text


def test_an_unknown_environment_is_one_paragraph(project_root: Path) -> None:
    result = CliRunner().invoke(report, ["--env", "nowhere"], obj=bootstrap_project(project_root))
    assert result.exit_code == 1 and len(result.output.splitlines()) <= 12
