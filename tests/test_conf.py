"""The configuration as files: where things stand, and that nothing is written twice."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

CONF = ROOT / "conf"
FILES = sorted(path for path in CONF.glob("*/**/*.yml"))
SHARED = {"catalog.yml", "parameters.yml", "globals.yml"}
ENTRY = re.compile(r"^  type: (.+)$|&\w+ \{type: (.+)\}$", re.MULTILINE)
CLASSES = re.compile(r"(?P<file>\b[a-z_0-9/]+\.py)(?:, (?P<class>[A-Z]\w+))?")

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))


@every_file
def test_a_subject_has_a_folder_with_its_catalog_and_its_parameters(path: Path) -> None:
    environment, *folders, name = path.relative_to(CONF).parts
    if folders:
        (subject,) = folders
        assert name in {"catalog.yml", "parameters.yml"}
        assert environment == "base" or (CONF / "base" / subject / name).is_file()
    else:
        assert name in SHARED


@pytest.mark.parametrize("path", sorted(CONF.rglob("catalog.yml")), ids=lambda path: path.parent.name)
def test_a_catalog_writes_each_type_and_layer_once(path: Path) -> None:
    text = path.read_text()
    types = Counter("".join(found) for found in ENTRY.findall(text))
    layers = Counter(re.findall(r"layer: (\w+)", text))
    assert types and layers
    assert {name: times for name, times in (types + layers).items() if times > 1} == {}


def test_each_variable_is_read_in_one_place() -> None:
    """A file or folder has one name, whoever uses it."""
    text = "".join(path.read_text() for path in FILES if path.is_relative_to(CONF / "base"))
    read = Counter(re.findall(r"oc\.env:(VIDREP_\w+)", text))
    assert read.pop("VIDREP_ANNOTATIONS") == 2  # optional for clips, required for Kinetics
    assert read["VIDREP_VGG16"] == 1 and set(read.values()) == {1}


def test_no_block_repeats_its_own_name() -> None:
    for path in CONF.rglob("parameters.yml"):
        blocks: dict[str, Any] = yaml.safe_load(path.read_text())
        for name, block in blocks.items():
            run = block.get("run") if isinstance(block, dict) else None
            assert (run or {}).get("folder", "${block:}") == "${block:}", f"{path}: {name}"


@every_file
def test_classes_that_comments_name_exist(path: Path) -> None:
    """Comments say where the fields of a block are documented."""
    source = ROOT / "src/vidrep_pipelines"
    for found in CLASSES.finditer(path.read_text()):
        file = source / found["file"]
        assert file.is_file(), found["file"]
        if found["class"]:
            assert f"class {found['class']}" in file.read_text(), found[0]
