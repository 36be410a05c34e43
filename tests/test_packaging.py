"""What surrounds the code: the wheel, the container's steps, citation, licences, templates."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.conftest import ROOT
from vidrep_pipelines import __version__
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.selection import refuse_missing_configuration

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = ("3.11", "3.12", "3.13")


def requirements() -> list[Requirement]:
    """Everything that some installation has."""
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return [Requirement(line) for one in lists for line in one]


def test_pythons_are_bounded_and_every_dependency_is_there_for_each() -> None:
    bounds = SpecifierSet(PROJECT["requires-python"])
    assert [python for python in (*PYTHONS, "3.10", "3.14") if f"{python}.0" in bounds] == list(PYTHONS)
    here = {"platform_machine": "x86_64", "extra": ""}
    needed = {each.name for each in requirements() if each.name != PROJECT["name"]}
    for python in PYTHONS:
        there = [
            each.name
            for each in requirements()
            if each.marker is None or each.marker.evaluate({**here, "python_version": python})
        ]
        assert needed <= set(there), python


def locked(name: str) -> dict[str, str]:
    """The versions in a file of pins, by the names as registries compare them."""
    pins = re.findall(r"^([\w.-]+)==([\w.+-]+)", (ROOT / name).read_text(), flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", each).lower(): version for each, version in pins}


def test_the_lock_has_every_dependency_as_constrained_and_its_digests() -> None:
    lock, constraints = locked("requirements.lock"), locked("constraints.txt")
    wanted = {re.sub(r"[-_.]+", "-", each.name).lower() for each in requirements()} - {PROJECT["name"]}
    assert wanted <= lock.keys()
    assert {name for name in lock.keys() & constraints.keys() if lock[name] != constraints[name]} == set()
    text = (ROOT / "requirements.lock").read_text()
    assert text.count("\n") > len(lock) and "://" not in text
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


def test_libraries_with_a_copyleft_licence_are_in_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text().lower()
    missing = []
    for each in requirements():
        try:
            facts = metadata(each.name)
        except PackageNotFoundError:  # an extra that is not installed
            continue
        named = [facts.get("License-Expression") or "", (facts.get("License") or "")[:100]]
        text = " ".join([*named, *(facts.get_all("Classifier") or [])])
        if re.search(r"GPL|General Public|MPL|Mozilla", text) and each.name.lower() not in notice:
            missing.append(each.name)
    assert missing == []
    assert "pebble: lgpl" in notice and "x264" in notice


def test_citation_is_of_this_version_and_names_five_papers() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0" and citation["version"] == __version__
    assert citation["license"] == PROJECT["license"] and citation["authors"]
    assert len(citation["references"]) == 5
    assert all(paper["authors"] and paper["title"] and paper["year"] for paper in citation["references"])


def test_steps_of_the_container_are_those_of_the_readme() -> None:
    steps = re.findall(r"^RUN (.+)$", (ROOT / "Containerfile").read_text(), flags=re.MULTILINE)
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    assert steps and all(step in readme for step in steps)
    for step in steps:
        assert re.search(rf"^{step.removeprefix('make ')}:", makefile, flags=re.MULTILINE)


def test_templates_can_be_filled_in() -> None:
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text())
        assert form["name"] and form["description"]
        labels = [field["attributes"]["label"] for field in form["body"]]
        assert len(labels) == len(set(labels)) > 1
    assert "make test lint types" in (ROOT / ".github" / "pull_request_template.md").read_text()


def test_security_page_names_files_that_exist() -> None:
    named = re.findall(r"`([\w/]+\.py)`", (ROOT / "SECURITY.md").read_text())
    assert named
    assert [name for name in named if not (ROOT / "src" / "vidrep_pipelines" / name).is_file()] == []


def run_without_a_clone(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command of an installed wheel, in a folder that is no project."""
    folder.mkdir(exist_ok=True)
    names = ("KEDRO_LOGGING_CONFIG", "VIDREP_DATA", "KEDRO_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, "-m", "vidrep_pipelines", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(site), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_wheel_runs_elsewhere(tmp_path: Path) -> None:
    sources = tmp_path / "sources"  # building leaves folders in them
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, sources / name, ignore=unwanted)
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, sources)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run([*build, str(sources)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    assert "vidrep_pipelines/conf/base/rsp/parameters.yml" in names
    assert "vidrep_pipelines/conf/logging.yml" in names
    assert not [name for name in names if name.startswith(("tests/", "conf/"))]

    small = "sample_world.clips=2,sample_world.frames_min=50,sample_world.frames_max=50,fanout.workers=1"
    run = run_without_a_clone(site, tmp_path / "empty", "--pipelines", "ingest", "--params", small)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "empty" / "data" / "02_intermediate" / "video_index.parquet").exists()

    archive_path = tmp_path / "conf-vidrep_pipelines.tar.gz"
    with tarfile.open(archive_path, "w:gz") as conf:
        conf.add(ROOT / "conf", "conf")
    absent = f"ingest.root={tmp_path / 'nowhere'}"
    packed = ("--conf-source", str(archive_path), "--pipelines", "ingest", "--params", absent)
    run = run_without_a_clone(site, tmp_path / "packed", *packed)
    assert run.returncode == 1 and "ingest.root: there is no folder" in run.stderr, run.stderr

    (tmp_path / "hollow").mkdir()
    run = run_without_a_clone(site, tmp_path / "empty", "--conf-source", str(tmp_path / "hollow"))
    assert run.returncode == 1
    assert "There is no configuration at" in run.stderr and "--conf-source" in run.stderr
    assert len(run.stderr.splitlines()) <= 12


def test_a_folder_without_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"no configuration at {tmp_path}.*--conf-source"):
        refuse_missing_configuration(tmp_path.as_posix())
    (tmp_path / "conf.tar.gz").touch()
    for there in (ROOT / "conf", tmp_path / "conf.tar.gz"):
        refuse_missing_configuration(there.as_posix())
    refuse_missing_configuration("s3://bucket/conf")
