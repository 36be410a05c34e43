"""Which package of the project imports which, read from the code."""

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "vidrep_pipelines"
PROJECT = SOURCE.name
SYSTEM, ENTRANCE = "models/<system>", "entrance"
"""All systems count as one package, and so do the modules by which Kedro enters the project."""


def package_of(parts: tuple[str, ...]) -> str:
    """The package of a module such as ``("models", "rsp", "task")``, as docs/architecture.md calls it."""
    if parts[0] == "models" and len(parts) > 1:
        return f"models/{parts[1]}" if parts[1] in ("layers", "shared") else SYSTEM
    return parts[0] if (SOURCE / parts[0]).is_dir() or parts[0] == "compat" else ENTRANCE


def imports_between_packages() -> dict[str, set[str]]:
    """For every package those that a line in it imports, wherever in a module the import stands."""
    imports = defaultdict[str, set[str]](set)
    for path in SOURCE.rglob("*.py"):
        package = package_of(path.relative_to(SOURCE).with_suffix("").parts)
        imports[package] |= {package_of(parts) for parts in _imported(path)} - {package}
    return dict(imports)


def reachable(imports: Mapping[str, set[str]], package: str) -> set[str]:
    """What a package imports, directly or through others."""
    seen: set[str] = set()
    waiting = [package]
    while waiting:
        fresh = imports.get(waiting.pop(), set()) - seen
        seen |= fresh
        waiting += fresh
    return seen


def arrows(imports: Mapping[str, set[str]]) -> set[tuple[str, str]]:
    """The imports that do not follow from others; unique, as there is no circle."""
    return {
        (package, other)
        for package, others in imports.items()
        for other in others
        if not any(other in reachable(imports, between) for between in others - {other})
    }


def _imported(path: Path) -> list[tuple[str, ...]]:
    """The project's modules, or names in them, that a file imports, as their parts below the project."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    split = [tuple(name.split(".")) for name in names]
    return [parts[1:] for parts in split if parts[0] == PROJECT and not parts[1].startswith("__")]
