import ast
import subprocess
import sys
from pathlib import Path

import pytest

from vidrep_pipelines import compat

SOURCE = Path(compat.__file__).parent


def test_timm_and_torchvision_transforms_work() -> None:
    from vidrep_pipelines.compat import timm

    assert hasattr(timm.models.vision_transformer, "VisionTransformer")
    assert compat.torchvision.__name__ == "torchvision"


def test_unknown_attributes_are_errors() -> None:
    with pytest.raises(AttributeError, match="diffusers"):
        _ = compat.diffusers


def test_other_failures_of_torchvision_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr(compat, "import_module", fail)
    with pytest.raises(RuntimeError, match="something else"):
        compat.ensure_torchvision.__wrapped__()


def test_importing_the_gateway_imports_neither_torch_nor_timm() -> None:
    heavy = "{'torch', 'timm', 'torchvision'}"
    code = f"import sys, vidrep_pipelines.compat; print(sorted({heavy} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


def test_nothing_else_imports_timm_or_torchvision() -> None:
    offenders = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if path.name != "compat.py" and _imports_directly(ast.parse(path.read_text()))
    ]
    assert offenders == []


def _imports_directly(tree: ast.Module) -> bool:
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return any(name.split(".")[0] in {"timm", "torchvision"} for name in names)
