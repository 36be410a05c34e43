"""Builds the lineage site into build/viz: static pages that any web server shows.

Kedro-Viz writes absolute paths into the pages; they are replaced, so that a site can be published without
telling whose machine made it. It shows every last product of a folded namespace beside it, which for three
evaluations are a hundred boxes in one line; here they are inside.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidrep_pipelines.common.config import at_home
from vidrep_pipelines.run_status import EVENTS

ROOT = Path(__file__).resolve().parents[1]
BUILD, SITE = ROOT / "build", ROOT / "build" / "viz"
_TREE_ROOT = "__root__"

Page = dict[str, Any]


def main() -> None:
    """Builds, moves and cleans the site."""
    give_run_status(data_root())
    aside = ROOT / ".build-aside"
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.rmtree(aside, ignore_errors=True)
    if BUILD.exists():
        BUILD.rename(aside)  # Kedro-Viz builds into the folder build itself
    try:
        command = [sys.executable, "-m", "kedro", "viz", "build", "--include-previews"]
        subprocess.run(command, cwd=ROOT, check=True)
        aside.mkdir(exist_ok=True)
        BUILD.rename(aside / SITE.name)
    finally:
        shutil.rmtree(BUILD, ignore_errors=True)
        if aside.exists():
            aside.rename(BUILD)
    if not (SITE / "api").is_dir():
        sys.exit("Kedro-Viz built no pages; its message is above.")
    for path in [SITE / "api" / "main", *(SITE / "api" / "pipelines").iterdir()]:
        path.write_text(json.dumps(with_own_layers(fold_products(json.loads(path.read_text())))))
    names = machine_paths(os.environ)
    for path in (path for path in (SITE / "api").rglob("*") if path.is_file()):
        path.write_text(without_paths(path.read_text(), names))
    print(f"Built {SITE}. Look at it: python -m http.server --directory {SITE.relative_to(ROOT)} 4142")


def data_root() -> Path:
    """The data folder whose products and runs are shown."""
    return ROOT / str(at_home(os.environ.get("VIDREP_DATA", "data")))


def give_run_status(data: Path) -> None:
    """Puts the events of the data folder's runs where Kedro-Viz looks for them, in place of another's."""
    target = ROOT / EVENTS
    target.unlink(missing_ok=True)
    if (data / EVENTS).is_file():
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(data / EVENTS, target)


def fold_products(page: Page) -> Page:
    """Moves into its namespace what a namespace makes and nobody reads.

    Only names with the namespace in them: a public name such as ``clip_table`` stays outside.

    Args:
        page: What the site reads for a pipeline: nodes, edges and the tree of namespaces.
    """
    tree: dict[str, Page] = page["modular_pipelines"]
    read = {edge["source"] for edge in page["edges"]}
    names = {node["id"]: node["name"] for node in page["nodes"] if node["type"] == "data"}
    for space, branch in tree.items():
        inside = {
            name for name in branch["outputs"] if name not in read and names[name].startswith(f"{space}.")
        }
        branch["outputs"] = [name for name in branch["outputs"] if name not in inside]
        for other in tree.values():
            other["children"] = [child for child in other["children"] if child["id"] not in inside]
        branch["children"] += [{"id": name, "type": "data"} for name in sorted(inside)]
        page["edges"] = [
            edge for edge in page["edges"] if edge["source"] != space or edge["target"] not in inside
        ]
    return page


def with_own_layers(page: Page) -> Page:
    """Leaves out the layers of other pipelines, which Kedro-Viz lists at any place."""
    own = {node.get("layer") for node in page["nodes"]}
    page["layers"] = [layer for layer in page["layers"] if layer in own]
    return page


def shown_at_first(page: Page) -> list[str]:
    """The boxes of a page before anybody unfolds a namespace or asks for parameters."""
    children = page["modular_pipelines"][_TREE_ROOT]["children"]
    return sorted(child["id"] for child in children if child["type"] != "parameters")


def machine_paths(environment: Mapping[str, str]) -> dict[str, str]:
    """What stands in the pages for the absolute paths of this machine, longest path first."""
    names = {
        value.rstrip("/"): f"${name}"
        for name, value in environment.items()
        if name.startswith("VIDREP_") and len(Path(value).parts) > 1 and Path(value).is_absolute()
    }
    if len(Path.home().parts) > 1:
        names[str(Path.home())] = "~"
    names[str(ROOT)] = "."
    for data in {data_root(), data_root().resolve()}:
        names[str(data)] = "data"
    return {path: names[path] for path in sorted(names, key=len, reverse=True)}


def without_paths(text: str, names: Mapping[str, str]) -> str:
    """A page in which every path below one of these begins with its name."""
    for path, name in names.items():
        below = "" if name == "." else f"{name}/"
        text = re.sub(rf"{re.escape(path)}/", lambda _, below=below: below, text)
        text = re.sub(rf"{re.escape(path)}(?![\w.-])", lambda _, name=name: name, text)
    return text


if __name__ == "__main__":
    main()
