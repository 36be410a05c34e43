"""Rules that import-linter does not express."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.packages import SOURCE

HEAVY = (
    *("torch", "timm", "transformers", "diffusers", "av", "decord", "mlflow"),
    *("h5py", "scipy", "sklearn", "matplotlib"),
)
MOST_LINES, MOST_MODULES, MOST_PARAMETERS = 350, 880, 8
MOST_FILES = {"carl": 17, "vqvae": 11, "voc": 40, "layers": 18}
"""Modules in a folder of models, its folders included."""
MANY_PARAMETERS: dict[str, str] = {
    "models/carl/losses.py: cycle_consistency": "each is a number or a choice that the paper names",
    "data/token_episodes/file.py: published_rows": "the five columns of the published layout come separately",
    "pipelines/downstream_eval/vpp_ablation_nodes.py: plan_policies": (
        "one dataset or block of parameters each"
    ),
    "pipelines/latent_extraction/vpp_features_nodes.py: extract_vpp_features": (
        "one dataset or block of parameters each"
    ),
    "pipelines/downstream_eval/phases_nodes.py: measure_phases": "one dataset or block of parameters each",
    "pipelines/pretrain/carl_nodes.py: plan_carl": "one dataset or block of parameters each",
    "pipelines/pretrain/carl_nodes.py: plan_carl_on_clips": "one dataset or block of parameters each",
    "pipelines/pretrain/voc_joint_nodes.py: plan_joint": "one dataset or block of parameters each",
    "pipelines/pretrain/vqvae_nodes.py: plan_vqvae": "one dataset or block of parameters each",
}
"""Functions that may have more, and why."""


def modules() -> list[Path]:
    """Modules with something in them."""
    return sorted(path for path in SOURCE.rglob("*.py") if path.stat().st_size)


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many parameters a caller sees."""
    arguments = function.args
    positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    own = positional[:1] in (["self"], ["cls"])
    variable = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    return len(positional) - own + len(arguments.kwonlyargs) + len(variable)


def test_every_module_is_short() -> None:
    lines = {path.relative_to(SOURCE).as_posix(): len(path.read_text().splitlines()) for path in modules()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_there_are_not_too_many_modules() -> None:
    assert len(modules()) <= MOST_MODULES


@pytest.mark.parametrize(("folder", "most"), MOST_FILES.items())
def test_folder_of_models_has_few_modules(folder: str, most: int) -> None:
    assert len([path for path in modules() if path.is_relative_to(SOURCE / "models" / folder)]) <= most


def test_functions_have_few_parameters() -> None:
    counts = {
        f"{path.relative_to(SOURCE).as_posix()}: {node.name}": parameters(node)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name for name, count in counts.items() if count > MOST_PARAMETERS} == set(MANY_PARAMETERS)


def test_every_file_of_a_stage_names_its_subject() -> None:
    names = {path.name for path in (SOURCE / "pipelines").rglob("*.py")}
    assert {"nodes.py", "pipeline.py"} & names == set()


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


@pytest.mark.parametrize("package", sorted(SOURCE.rglob("__init__.py")), ids=lambda path: path.parent.name)
def test_the_files_that_a_package_lists_exist(package: Path) -> None:
    listed = re.findall(r"(?<![\w/*])(\w+\.py)\b", package.read_text())
    assert [name for name in listed if not (package.parent / name).exists()] == []
