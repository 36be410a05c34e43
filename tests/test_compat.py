import ast
import subprocess
import sys
from pathlib import Path

import pytest

from vidrep_pipelines import compat
from vidrep_pipelines.common.errors import MissingExtraError

BEHIND_THE_GATEWAY = {"diffusers", "peft", "timm", "torchvision", "transformers"}
SOURCE = Path(compat.__file__).parent


def test_timm_and_torchvision_transforms_work() -> None:
    from vidrep_pipelines.compat import timm

    assert hasattr(timm.models.vision_transformer, "VisionTransformer")
    assert compat.torchvision.__name__ == "torchvision"


def test_unknown_attributes_are_errors() -> None:
    with pytest.raises(AttributeError, match="tensorflow"):
        _ = compat.tensorflow


@pytest.mark.parametrize("name", ["diffusers", "peft", "transformers"])
def test_libraries_that_import_torchvision_work(name: str) -> None:
    assert getattr(compat, name).__name__ == name


def test_a_library_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match=r"\[vpp\]"):
        _ = compat.peft


def test_other_failures_of_torchvision_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr(compat, "import_module", fail)
    with pytest.raises(RuntimeError, match="something else"):
        compat.ensure_torchvision.__wrapped__()


def test_importing_the_gateway_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'timm', 'torchvision', 'diffusers', 'transformers', 'peft'}"
    code = f"import sys, vidrep_pipelines.compat; print(sorted({heavy} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


def test_nothing_else_imports_torchvision_or_what_imports_it() -> None:
    offenders = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if path.name != "compat.py" and _imports_directly(ast.parse(path.read_text()))
    ]
    assert offenders == []


def _imports_directly(tree: ast.Module) -> bool:
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return any(name.split(".")[0] in BEHIND_THE_GATEWAY for name in names)
