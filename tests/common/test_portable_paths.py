import json
from pathlib import Path
from typing import Any

import pytest

from vidrep_pipelines.common.portable_paths import portable, resolved, text_without_places, without_places

_SPEC: dict[str, Any] = {
    "run_directory": "/data/me/06_models/rsp/run",
    "task_config": {
        "videos": "/data/me/03_primary/videos",
        "tokens": ["/data/me/05/tokens.h5"],
        "initialize_from": "/data/weights.pth",
        "neighbor": "/data/me2/x",
        "labels": None,
        "seed": 3,
    },
}
_FOLDER = Path("/data/me/06_models/rsp")


def test_paths_in_the_data_root_are_relative_and_move_with_it() -> None:
    stored = json.loads(json.dumps(portable(_SPEC, _FOLDER)))
    assert stored["data_root"] == "../.."
    assert stored["task_config"]["videos"] == "{data_root}/03_primary/videos"
    assert stored["task_config"]["initialize_from"] == "/data/weights.pth"
    assert resolved(stored, _FOLDER) == _SPEC
    moved = resolved(stored, Path("/copy/06_models/rsp"))
    assert moved["run_directory"] == "/copy/06_models/rsp/run"
    assert moved["task_config"] == {
        "videos": "/copy/03_primary/videos",
        "tokens": ["/copy/05/tokens.h5"],
        "initialize_from": "/data/weights.pth",
        "neighbor": "/data/me2/x",
        "labels": None,
        "seed": 3,
    }


def test_relative_folders_are_seen_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec = {"run_directory": f"{tmp_path}/data/06_models/rsp/run"}
    stored = portable(spec, Path("data/06_models/rsp"))
    assert stored["run_directory"] == "{data_root}/06_models/rsp/run"
    assert resolved(stored, Path("data/06_models/rsp")) == spec


def test_an_older_description_in_its_place_is_taken_as_it_is() -> None:
    assert resolved(_SPEC, _FOLDER) == _SPEC


@pytest.mark.parametrize("entry", ["run_directory", "directory"])
def test_an_older_description_that_was_copied_never_leads_into_the_original(entry: str) -> None:
    spec = {entry: "/data/me/06_models/rsp/run", "task_config": _SPEC["task_config"]}
    moved = resolved(spec, Path("/copy/06_models/rsp"))
    assert moved[entry] == "/copy/06_models/rsp/run"
    assert moved["task_config"]["videos"] == "/copy/03_primary/videos"
    assert moved["task_config"]["initialize_from"] == "/data/weights.pth"


def test_an_older_description_whose_models_are_elsewhere_on_purpose_is_taken_as_it_is() -> None:
    """Only the run's folder was set to another disk; the rest lies where the description does."""
    spec = {"run_directory": "/disk/06_models/rsp/run", "videos": "/data/me/03_primary/videos"}
    assert resolved(spec, _FOLDER) == spec
    spec = {"run_directory": "/disk/other/run", "videos": "/videos"}
    assert resolved(spec, _FOLDER) == spec


@pytest.mark.parametrize("description", [[], 3, None, "text", {"data_root": 3}])
def test_what_is_no_description_is_refused(description: Any) -> None:
    with pytest.raises(ValueError, match="no description"):
        resolved(description, _FOLDER)


def test_parameters_do_not_tell_where_things_lie() -> None:
    given = {
        "root": "/home/me/videos/k400",
        "home": "~/weights/vgg16.pth",
        "file": "file:///srv/x.csv",
        "bucket": "s3://bucket/a/b",
        "list": ["/a/b", "relative/c", 3],
        "top": "/",
    }
    assert without_places(given) == {
        "root": "k400",
        "home": "vgg16.pth",
        "file": "x.csv",
        "bucket": "s3://bucket/a/b",
        "list": ["b", "relative/c", 3],
        "top": "/",
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the videos in /data/k400/train", "the videos in train"),
        (
            "30 sequences in DAVIS-2017's layout in /d/mine (list val)",
            "30 sequences in DAVIS-2017's layout in mine (list val)",
        ),
        ("the videos in s3://bucket/a/b", "the videos in s3://bucket/a/b"),
        ("4 / 5 and/or 1/2", "4 / 5 and/or 1/2"),
        ("the videos in ~/clips/", "the videos in clips"),
    ],
)
def test_sentences_do_not_tell_where_things_lie(text: str, shown: str) -> None:
    assert text_without_places(text) == shown
