"""The table of all pipelines, made from the registry and the configuration."""

import re
from functools import cache
from pathlib import Path

from kedro.pipeline import Node, Pipeline
from scripts.site import measured

from vidrep_pipelines.headlines import headline_of
from vidrep_pipelines.pipeline_registry import register_pipelines

ROOT = Path(__file__).resolve().parents[2]
_EXTRAS = {"serve": ("serve_policy",), "vpp": ("vpp_video", "serve_policy")}
"""Optional dependencies, and the namespaces with nodes that cannot run without them."""
_GROUPS = {
    "ingest": "Raw data",
    "resize label_filter prepare pack": "Clips",
    "pretrain": "Training",
    "latent": "Codes, latents, embeddings, features",
    "eval ablate compare predict check": "Evaluation",
    "export serve": "Use elsewhere",
    "verify measure": "The data folder",
}
_VARIABLE = re.compile(r"oc\.env:(VIDREP_\w+)")
_REFERENCE = re.compile(r"globals:(\w+)\.(\w+)")

PARAMETERS = "params:"
_FEW = 4


def page() -> str:
    """The page in Markdown: a table for every kind of pipeline."""
    named = {name: pipeline for name, pipeline in register_pipelines().items() if name != "__default__"}
    lines = [
        "# All pipelines",
        "",
        "Made from `pipeline_registry.py` and `conf/base`. `kedro run --pipelines NAME` does all that comes",
        "before, from raw data on, and nothing twice; without a name it is `pretrain_rsp`. Variables",
        "([all of them](../environment_variables.md)) name your data and files; none is needed on a laptop.",
        "Parameters are blocks of the [reference](parameters.md). *Last measured* is what the pipeline's own",
        "nodes took and found on a laptop, where it was noted (`python -m scripts.site.measured data`).",
    ]
    for starts, title in _GROUPS.items():
        lines += [
            "",
            f"## {title}",
            "",
            "| pipeline | takes, if it is there | makes | parameters | nodes | last measured |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            row(name, pipeline)
            for name, pipeline in named.items()
            if name.split("_")[0] in _first_words(starts)
        ]
    return "\n".join(lines) + "\n"


def _first_words(starts: str) -> set[str]:
    return {word.split("_")[0] for word in starts.split()}


def row(name: str, pipeline: Pipeline) -> str:
    """A pipeline's line: what it needs and what is left of it in the end."""
    needs = [
        *(f"extra `{extra}`" for extra in extras(pipeline)),
        *(f"`{variable}`" for variable in variables(pipeline)),
    ]
    made = [f"`{dataset}`" for dataset in products(pipeline)]
    blocks = ", ".join(f"`{block}`" for block in own_blocks(pipeline))
    cells = [f"`{name}`", ", ".join(needs), ", ".join(made), blocks, str(len(pipeline.nodes))]
    return f"| {' | '.join([*cells, measured.told(name, _own_nodes(pipeline))])} |"


def products(pipeline: Pipeline) -> list[str]:
    """What it makes that no public pipeline inside of it makes: what others read, and tables of results.

    Where there is neither, the first few of its products; where it only puts others together, those of the
    last of them.
    """
    own = (
        _own_nodes(pipeline) or pipeline.only_nodes_with_namespaces([str(pipeline.nodes[-1].namespace)]).nodes
    )
    made = [dataset for node in own for dataset in node.outputs]
    read = {
        name for nodes in _public().values() for node in nodes - {*pipeline.nodes} for name in node.inputs
    }
    shown = {name for name in read if not name.endswith("training_spec")}
    return [name for name in made if "." not in name or headline_of(name) or name in shown] or made[:_FEW]


def _own_nodes(pipeline: Pipeline) -> list[Node]:
    """Nodes that are in none of the smaller public pipelines."""
    every = frozenset(pipeline.nodes)
    within = [part for part in _public().values() if part < every]
    return [node for node in pipeline.nodes if not any(node in part for part in within)]


@cache
def _public() -> dict[str, frozenset[Node]]:
    return {name: frozenset(pipeline.nodes) for name, pipeline in register_pipelines().items()}


def extras(pipeline: Pipeline) -> list[str]:
    """Optional dependencies without which some node cannot run."""
    namespaces = {node.namespace for node in pipeline.nodes}
    return [extra for extra, needing in _EXTRAS.items() if namespaces & set(needing)]


def own_blocks(pipeline: Pipeline) -> list[str]:
    """The blocks of parameters that are read, those of machine and tracking left out."""
    everywhere = {"launch", "folders", "tracking", "fanout"}
    blocks = {
        name.removeprefix(PARAMETERS).partition(".")[0]
        for name in pipeline.inputs()
        if name.startswith(PARAMETERS)
    }
    return sorted(blocks - everywhere)


def variables(pipeline: Pipeline) -> list[str]:
    """The environment variables that stand in the blocks that are read."""
    return sorted({name for block in own_blocks(pipeline) for name in variables_of_blocks().get(block, ())})


@cache
def variables_of_blocks() -> dict[str, set[str]]:
    """The environment variables in each top-level block of ``conf/base``, through globals, too."""
    shared = {}
    section = ""
    for line in (ROOT / "conf/base/globals.yml").read_text().splitlines():
        if found := re.match(r"(\w+):", line):
            section = found[1]
        elif found := re.match(r"  (\w+): .*oc\.env:(VIDREP_\w+)", line):
            shared[section, found[1]] = found[2]
    blocks: dict[str, set[str]] = {}
    for path in sorted((ROOT / "conf/base").rglob("parameters.yml")):
        block = ""
        for line in path.read_text().splitlines():
            if found := re.match(r"(\w+):", line):
                block = found[1]
            names = {
                *_VARIABLE.findall(line),
                *(shared[key] for key in _REFERENCE.findall(line) if key in shared),
            }
            blocks.setdefault(block, set()).update(names)
    return blocks
