"""Rules that import-linter does not express."""

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "vidrep_pipelines"
HEAVY = ("torch", "timm", "av", "decord", "mlflow", "h5py", "sklearn", "matplotlib")


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_module_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_listing_the_pipelines_imports_nothing_heavy(project_root: Path) -> None:
    program = (
        "import sys\n"
        "from kedro.framework.startup import bootstrap_project\n"
        "from kedro.framework.project import pipelines, settings\n"
        f"bootstrap_project(__import__('pathlib').Path({str(project_root)!r}))\n"
        "assert 'pretrain_rsp' in pipelines and settings.HOOKS\n"
        f"print('heavy:', *[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1].strip() == "heavy:"


def test_no_machine_path_is_written_down(project_root: Path) -> None:
    files = subprocess.run(
        ["git", "grep", "-nIE", r"(^|[^A-Za-z0-9_.])/(home|root|work)/", "--", "src", "conf", "docs", "*.md"],
        cwd=project_root,
        capture_output=True,
        text=True,
        check=False,  # git grep exits with 1 when nothing is found
    )
    assert files.stdout == ""
