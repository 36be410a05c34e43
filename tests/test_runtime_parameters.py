"""What becomes of values given with ``--params`` and ``--config``."""

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.session import KedroSession
from kedro.pipeline import Node, Pipeline

from tests.helpers.project import bootstrap, run_pipeline
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.hooks import UnreadParameterHook
from vidrep_pipelines.pipelines.config import SystemParameters
from vidrep_pipelines.runtime_parameters import (
    describe_unread,
    flatten,
    parameter_names,
    refuse_interpolation,
    unread,
)

keys = st.text("abc", min_size=1, max_size=3)
trees = st.dictionaries(
    keys,
    st.recursive(st.integers(), lambda inner: st.dictionaries(keys, inner, min_size=1), max_leaves=6),
    max_size=4,
)


@given(trees)
def test_flat_names_lead_to_the_same_values(tree: dict[str, Any]) -> None:
    def leaves(value: Any) -> int:
        return sum(map(leaves, value.values())) if isinstance(value, dict) else 1

    flat = flatten(tree)
    assert len(flat) == leaves(tree)
    for name, value in flat.items():
        found: Any = tree
        for key in name.split("."):
            found = found[key]
        assert found == value


# --- parameters that nobody reads

PLANNED = Pipeline(
    [
        Node(lambda _: 1, "params:toy.train", "spec", name="toy.plan"),
        Node(lambda *_: 1, ["spec", "params:launch"], "weights", name="toy.train"),
    ]
)


def test_parameters_that_no_selected_node_reads_are_named_with_their_readers() -> None:
    given_parameters = {"toy": {"train": {"steps": 3}}, "launch": {"processes": 2}, "other": 1}
    found = unread(given_parameters, PLANNED.filter(node_names=["toy.train"]), PLANNED)
    assert found == {"toy.train.steps": ["toy.plan"], "other": []}
    assert "toy.train.steps (read by toy.plan, which is not selected); other." in describe_unread(found)
    assert unread({"toy": {"train": {"steps": 3}}, "launch": 2}, PLANNED, PLANNED) == {}


class ToyParameters(SystemParameters):
    train: int
    initialize_from: str | None


def plan_toy(toy: ToyParameters, launch: int) -> int:
    return toy.train + launch


def test_all_parameters_of_a_system_go_by_the_names_of_its_blocks() -> None:
    pipeline = Pipeline([Node(plan_toy, ["params:toy", "params:launch"], "spec", name="toy.plan")])
    assert parameter_names(pipeline) == ["launch", "toy.initialize_from", "toy.train"]
    given_parameters = {"toy": {"train": 3, "trian": 3}}
    assert unread(given_parameters, pipeline, pipeline) == {"toy.trian": []}
    assert unread(given_parameters, Pipeline([]), pipeline) == {"toy.train": ["toy.plan"], "toy.trian": []}


@pytest.mark.parametrize(
    ("selection", "warned"), [({"node_names": ["rsp.train"]}, True), ({"from_nodes": ["rsp.plan"]}, False)]
)
def test_steps_for_a_training_that_is_not_planned_anew(
    selection: dict[str, list[str]], warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    bootstrap()
    from kedro.framework.project import pipelines

    selected = pipelines["pretrain_rsp"].filter(**selection)
    about: dict[str, Any] = {
        "runtime_params": {"rsp": {"train": {"steps": 7}}},
        "pipeline_names": ["pretrain_rsp"],
    }
    with caplog.at_level(logging.WARNING, "vidrep_pipelines"):
        UnreadParameterHook().before_pipeline_run(about, selected)
    assert ("rsp.train.steps (read by rsp.plan" in caplog.text) is warned
    assert len(caplog.records) == warned


# --- references


@pytest.mark.parametrize("value", ["/data/${USER}/videos", "${x", "a${ingest.root}b"])
def test_a_path_that_would_be_a_reference_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"ingest\.root \(--params\): '\$\{.* Remedy"):
        refuse_interpolation({"ingest": {"root": value, "split": None}})


@pytest.mark.parametrize("value", ["${globals:data_root}/x", "${oc.env:HOME}/x", "$HOME/x", "{x}", 3])
def test_references_that_kedro_resolves_and_plain_values_pass(value: object) -> None:
    refuse_interpolation({"ingest": {"root": value}})


def test_a_session_says_so_instead_of_looking_for_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"ingest\.root \(--params\)"):
        run_pipeline("ingest", tmp_path, {"ingest": {"root": "/data/${me}/videos"}})
    assert list(tmp_path.iterdir()) == []


def test_a_data_root_that_would_be_a_reference_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"VIDREP_DATA='.*/\$\{me\}'.*Remedy"):
        run_pipeline("ingest", tmp_path / "${me}", {})
    assert list(tmp_path.iterdir()) == []


# --- what the command line can say


def parsed(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What ``kedro run`` would give to its session."""
    found: dict[str, Any] = {}

    class Session:
        def __enter__(self) -> "Session":
            return self

        def __exit__(self, *_: object) -> None:
            return

        def run(self, **options: Any) -> None:
            found.update(options)

    def create(**options: Any) -> Session:
        found.update(options)
        return Session()

    monkeypatch.setattr(KedroSession, "create", create)
    result = CliRunner().invoke(kedro_run, list(arguments), standalone_mode=False)
    assert result.exception is None, result.output
    return found


def test_lists_and_paths_with_commas_come_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/parameters.md says."""
    path = tmp_path / "my_run.yml"
    path.write_text(
        "run:\n"
        "  pipelines: prepare_clips\n"
        "  params:\n"
        "    ingest: {root: '/data/a, b/videos'}\n"
        "    label_filter: {exclude_classes: [pour, 'open, slowly']}\n"
    )
    found = parsed("--config", str(path), monkeypatch=monkeypatch)
    assert found["pipeline_names"] == ["prepare_clips"]
    assert found["runtime_params"] == {
        "ingest": {"root": "/data/a, b/videos"},
        "label_filter": {"exclude_classes": ["pour", "open, slowly"]},
    }


def test_short_values_come_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    found = parsed(
        "--params", "label_filter.exclude_classes=[pour],ingest.root=/a b/c", monkeypatch=monkeypatch
    )
    assert found["runtime_params"] == {
        "label_filter": {"exclude_classes": ["pour"]},
        "ingest": {"root": "/a b/c"},
    }


# --- home folders


def test_home_folders_in_variables_and_parameters(
    tmp_path: Path, project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VIDREP_VIDEOS", "~/my, videos")
    monkeypatch.setenv("VIDREP_DATA", "~/data")
    bootstrap()
    given_parameters = {"ingest": {"annotations": "~/a.csv"}, "label_filter": {"label_list": "~nobody_x/l"}}
    with KedroSession.create(project_root, runtime_params=given_parameters) as session:
        catalog = session.load_context().catalog
        assert catalog.load("params:ingest").root == f"{tmp_path}/my, videos"
        assert catalog.load("params:ingest").annotations == tmp_path / "a.csv"
        assert str(catalog.load("params:label_filter").label_list) == "~nobody_x/l"
        assert catalog.load("params:folders").models == tmp_path / "data/06_models"
    assert os.environ["VIDREP_VIDEOS"] == "~/my, videos"
