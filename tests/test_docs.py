"""What pages tell readers to type exists: pipelines, environments, nodes, variables and parameters."""

import re
import shlex
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, get_args, get_origin

import pytest
from kedro.framework.cli.utils import _split_params
from pydantic import BaseModel, RootModel

from tests.conftest import ROOT
from tests.test_pipeline_registry import PIPELINES, parameters_of
from vidrep_pipelines.common.former_names import current_pipeline
from vidrep_pipelines.pipelines.config import SystemParameters
from vidrep_pipelines.runtime_parameters import flatten

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS: dict[str, set[Any]] = {}
for every in PIPELINES.values():
    for reader in every.nodes:
        for parameter, hint in parameters_of(reader).items():
            BLOCKS.setdefault(parameter.removeprefix("params:"), set()).add(hint)
SECTIONS = {name.partition(".")[2] or name for name in BLOCKS} | {
    field
    for kind in set[Any]().union(*BLOCKS.values())
    if isinstance(kind, type) and issubclass(kind, SystemParameters)
    for field in kind.model_fields
}
OTHER_NAMES = {node.name for pipeline in PIPELINES.values() for node in pipeline.nodes} | {
    dataset for pipeline in PIPELINES.values() for dataset in pipeline.datasets()
}
FILE = re.compile(
    r"\.(?:py|yml|json|pkl|csv|txt|npz?|pth?|ckpt|safetensors|h5|hdf5|png|mp4|parquet|arrow|jsonl|tar|gz)$"
)
NAME = re.compile(r"[a-z]\w*(?:\.[a-z]\w*)+")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def commands(text: str) -> Iterator[list[str]]:
    """The words of every ``kedro run``, variables before it included, comments and pipes not."""
    lines = text.replace("\\\n", " ").splitlines()
    spans = [span for line in lines for span in re.findall(r"`([^`]*)`", line)]
    for line in [*spans, *(line for line in lines if "`" not in line)]:
        for found in re.finditer(r"(?:VIDREP_\w+=\S+ +)*kedro run\b([^#|;&\"]*)", line):
            yield shlex.split(found[0])


def options_of(words: list[str]) -> dict[str, str]:
    rest = words[words.index("run") + 1 :]
    return {name: value for name, value in pairwise(rest) if name.startswith("--")}


def knows(kind: Any, path: list[str]) -> bool:
    """Whether values of this annotation have such a field; a mapping has any."""
    if not path or kind is Any:
        return True
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        root = kind.model_fields.get("root") if issubclass(kind, RootModel) else None
        if root is not None:
            return knows(root.annotation, path)
        field = kind.model_fields.get(path[0])
        return field is not None and knows(field.annotation, path[1:])
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return knows(inner[1] if inner else Any, path[1:])
    return any(knows(each, path) for each in inner)


def is_parameter(name: str) -> bool:
    return any(
        name == block or (name.startswith(f"{block}.") and knows(kind, name[len(block) + 1 :].split(".")))
        for block, kinds in BLOCKS.items()
        for kind in kinds
    )


@every_page
def test_commands_name_what_there_is(page: Any) -> None:
    nodes = {node.name for pipeline in PIPELINES.values() for node in pipeline.nodes}
    environments = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()}
    for words in commands(page.read_text()):
        options = options_of(words)
        named = options.get("--pipelines") or options.get("--pipeline") or ""
        for pipeline in filter(None, named.split(",")):
            assert "<" in pipeline or current_pipeline(pipeline) in PIPELINES, words
        assert options.get("--env", "laptop") in environments, words
        for option in ("--to-nodes", "--from-nodes", "--nodes"):
            assert set(filter(None, options.get(option, "").split(","))) <= nodes, words
        for name in flatten(_split_params(None, None, options.get("--params", ""))):
            assert is_parameter(name), f"{name} in {' '.join(words)}"


@every_page
def test_commands_of_clusters_say_where_data_goes(page: Any) -> None:
    text = page.read_text()
    for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL):
        if re.search(r"--env (cluster|published)", block):
            assert "VIDREP_DATA" in block, block


@every_page
def test_variables_are_read_somewhere(page: Any) -> None:
    sources = [
        *ROOT.glob("conf/**/*.yml"),
        *ROOT.glob("src/**/*.py"),
        ROOT / "Makefile",
        *ROOT.glob("tests/**/*.py"),
    ]
    read = set(re.findall(r"VIDREP_\w+", "".join(path.read_text() for path in sources)))
    assert set(re.findall(r"VIDREP_[A-Z_0-9]+", page.read_text())) <= read


@every_page
def test_parameters_that_are_named_exist(page: Any) -> None:
    """Whole names (``rsp.train.steps``), and those within a system (``train.steps``)."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    unknown = []
    for span in re.findall(r"`([^`\n]+)`", text):
        found = NAME.match(span)
        if found is None or span[found.end() :][:1] not in ("", ":", "=", " ", ","):
            continue
        name = found[0]
        head = name.partition(".")[0]
        known_head = any(block.partition(".")[0] == head for block in BLOCKS) or head in SECTIONS
        if not known_head or FILE.search(name) or name in OTHER_NAMES:
            continue
        within = (f"{block.partition('.')[0]}.{name}" for block in BLOCKS)
        if not is_parameter(name) and not any(map(is_parameter, within)):
            unknown.append(name)
    assert unknown == []
