"""Configuration is read as Kedro's own loader reads it: every result and every error is compared with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.config import OmegaConfigLoader
from omegaconf import OmegaConf
from omegaconf.errors import ConfigTypeError, OmegaConfBaseException
from yaml.parser import ParserError

from vidrep_pipelines.project_config import ProjectConfigLoader, _merge
from vidrep_pipelines.settings import CONFIG_LOADER_ARGS


def loaders(conf: Path, **options: Any) -> tuple[ProjectConfigLoader, OmegaConfigLoader]:
    ours = ProjectConfigLoader(str(conf), **CONFIG_LOADER_ARGS, **options)
    return ours, OmegaConfigLoader(str(conf), **CONFIG_LOADER_ARGS, **options)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for name in ("base", "laptop"):
        (tmp_path / name).mkdir()
    (tmp_path / "laptop/parameters.yml").write_text("unused: 1\n")
    return tmp_path


def write(conf: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (conf / name).parent.mkdir(exist_ok=True, parents=True)
        (conf / name).write_text(text)


@pytest.mark.parametrize("environment", ["laptop", "cluster"])
@pytest.mark.parametrize(
    "runtime", [{}, {"rsp": {"train": {"steps": 7}}, "vpp_video": {"mixture": None}, "new": {"a": [1, 2]}}]
)
def test_this_projects_files(
    project_root: Path, monkeypatch: pytest.MonkeyPatch, environment: str, runtime: dict[str, Any]
) -> None:
    monkeypatch.setenv("VIDREP_DATA", "/somewhere")
    ours, kedros = loaders(project_root / "conf", env=environment, runtime_params=runtime)
    for key in ("globals", "parameters", "catalog"):
        assert ours[key] == kedros[key], key


CASES = {
    "a value of another block": {"base/parameters.yml": "a: {x: 1e-3}\nb: {y: '${a.x}'}\n"},
    "a value beside it": {
        "base/parameters.yml": "a: {x: 3, y: '${.x}', z: {w: '${..x}'}}\nb: {d: 2020-01-01}\n"
    },
    "a value of another block by steps": {"base/parameters.yml": "a: {x: 3}\nb: {y: '${..a.x}'}\n"},
    "a resolver of names": {"base/parameters.yml": "a: {x: 3}\nb: {y: '${oc.select:a.x,4}'}\n"},
    "an escaped one": {"base/parameters.yml": "a: {x: '\\${b}'}\nb: 1\n"},
    "several files": {
        "base/a/parameters.yml": "a: {x: 1, l: [1, 2]}\n",
        "base/b/parameters.yml": "b: &own {x: '${block:}'}\nc: {<<: *own, y: null}\n",
        "laptop/a/parameters.yml": "a: {l: [3], x: {deep: 1}}\nc: {y: {z: '${globals:root}/z'}}\n",
        "base/globals.yml": "root: here\n",
    },
    "a value that must be given": {
        "base/parameters.yml": "a: {x: 1}\n",
        "laptop/x/parameters.yml": "a: {x: '???', y: '???'}\n",
    },
    "what was given when it was started": {"base/parameters.yml": "a: {x: 1}\nb: {y: '${a.x}'}\n"},
    "a catalog": {
        "base/catalog.yml": "_own: &own {type: json.JSONDataset}\n"
        "x: {<<: *own, filepath: '${globals:root}/x'}\n"
        "y: {type: pickle.PickleDataset, filepath: y}\n'{z}.z': {type: MemoryDataset}\n",
        "laptop/catalog.yml": "y: {type: MemoryDataset}\n",
        "base/globals.yml": "root: there\n",
    },
    "global values": {
        "base/parameters.yml": "a:\n"
        "  text: '${globals:root}'\n  number: '${globals:number}'\n  nothing: '${globals:nothing}'\n"
        "  two: '${globals:deep.text}/${globals:root}'\n  mixed: '${globals:root}/${globals:number}'\n"
        "  beside: '${globals:root}/${.number}'\n  escaped: '\\${globals:root}'\n"
        "  within: '${oc.select:b,${globals:deep.text}}'\n  other: '${globals:absent,3}'\n"
        "  list: ['${globals:root}', '${globals:list}', '${globals:list.0}']\n  block: '${globals:deep}'\n"
        "b: {only: '${globals:root}/x', quoted: '${globals:quoted}', final: '${globals:escaped}'}\n",
        "base/globals.yml": "root: 'here, {there}'\nnumber: 1e-3\nnothing: null\nlist: [1, 2]\n"
        "deep: {text: t}\nquoted: '1'\nescaped: '\\${root}'\n",
    },
    "an empty file": {"base/parameters.yml": "a: 1\n", "base/x/parameters.yml": "# nothing\n"},
}


@pytest.mark.parametrize("case", CASES)
def test_results_are_kedros(conf: Path, case: str) -> None:
    write(conf, CASES[case])
    ours, kedros = loaders(conf, runtime_params={"a": {"x": 9}} if "given when" in case else {})
    keys = [key for key in ("parameters", "catalog") if list(conf.glob(f"base/**/{key}*"))]
    for key in keys:
        assert ours[key] == kedros[key]


WRONG = {
    "a name that nothing has": {"base/parameters.yml": "a: {x: '${b.y}'}\n"},
    "a global that nothing has": {"base/parameters.yml": "a: {x: '${globals:nothing}'}\nb: 1\n"},
    "a private global": {"base/parameters.yml": "a: {x: '${globals:_a}'}\n", "base/globals.yml": "_a: 1\n"},
    "a missing global": {"base/parameters.yml": "a: {x: '${globals:a}'}\n", "base/globals.yml": "a: '???'\n"},
    "no such resolver": {"base/parameters.yml": "a: {x: '${nothing:1}'}\n"},
    "twice": {"base/a/parameters.yml": "a: {x: 1}\n", "base/b/parameters.yml": "a: {x: 2}\n"},
    "twice in a catalog": {"base/a/catalog.yml": "a: {type: T}\n", "base/b/catalog.yml": "a: {type: U}\n"},
    "no YAML": {"base/parameters.yml": "a: [1, 2\nb: 3\n"},
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_kedros(conf: Path, case: str) -> None:
    write(conf, WRONG[case])
    key = "catalog" if "catalog" in case else "parameters"
    said = []
    for loader in loaders(conf):
        with pytest.raises((OmegaConfBaseException, ValueError, ParserError)) as error:
            loader[key]
        said.append((type(error.value), str(error.value)))
    (kind, text), (kedros, theirs) = said
    assert kind is kedros
    assert text == theirs or theirs.rstrip(".") in text or "Duplicate keys found in" in text


def test_a_key_twice_in_one_file_names_the_file(conf: Path) -> None:
    write(conf, {"base/parameters.yml": "a:\n  x: 1\n  x: 2\n"})
    with pytest.raises(ParserError, match=r"base/parameters\.yml, unable to read line 2.*duplicate key x"):
        loaders(conf)[0]["parameters"]


def test_blocks_share_nothing(conf: Path) -> None:
    write(conf, {"base/parameters.yml": "a: &own {x: {y: [1]}}\nb: *own\n"})
    parameters = loaders(conf)[0]["parameters"]
    parameters["a"]["x"]["y"].append(2)
    assert parameters["b"] == {"x": {"y": [1]}}


leaves = st.none() | st.integers(0, 3) | st.text("ab", max_size=2) | st.lists(st.integers(0, 2), max_size=2)
trees = st.recursive(leaves, lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=3))
blocks = st.dictionaries(st.sampled_from("abc"), trees, max_size=3)


@given(blocks, blocks)
@settings(deadline=None)
def test_merging_is_omegaconfs(base: dict[str, Any], changes: dict[str, Any]) -> None:
    try:
        theirs = OmegaConf.to_container(OmegaConf.merge(base, changes))
    except (
        ConfigTypeError
    ):  # a list in the place of a block, or a block in that of a list: here it is put there
        return
    assert _merge(base, changes) == theirs


def test_a_list_can_take_the_place_of_a_block() -> None:
    assert _merge({"a": {"b": {"c": 1}}}, {"a": {"b": [2]}}) == {"a": {"b": [2]}}
    assert _merge({"a": [2]}, {"a": {"b": 1}}) == {"a": {"b": 1}}
