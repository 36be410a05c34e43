"""Pictures of how pipelines hang together, made from the registry: namespaces and what they hand over."""

from collections.abc import Iterator

from kedro.pipeline import Pipeline

from vidrep_pipelines.pipeline_registry import register_pipelines

SHOWN = {
    "RSP, and label propagation with it": "eval_davis",
    "FEVD-VQVAE": "eval_reconstruction",
    "Video Occupancy Models": "eval_occupancy",
    "CARL": "eval_phases",
    "Video Prediction Policy, the video model": "eval_video_prediction",
    "Video Prediction Policy, the policy": "eval_rollout",
}
"""A pipeline for each system, under its title."""


def page() -> str:
    """The page in Markdown: a picture for every system."""
    registered = register_pipelines()
    lines = [
        "# Lineage of the systems",
        "",
        "Made from the registry: a box is a namespace, an arrow what the next one reads of it. Every dataset",
        "and node, with files, previews and the status of the last run, is in [Kedro-Viz](../kedro_viz.md).",
    ]
    for title, name in SHOWN.items():
        lines += ["", f"## {title}", "", f"`kedro run --pipelines {name}`", "", *picture(registered[name])]
    return "\n".join(lines) + "\n"


def picture(pipeline: Pipeline) -> list[str]:
    """The namespaces of a pipeline as a flowchart of Mermaid."""
    lines = ["```mermaid", "flowchart TD"]
    for (maker, reader), datasets in sorted(handed_over(pipeline).items()):
        lines.append(f'  {maker} -- "{"<br>".join(sorted(datasets))}" --> {reader}')
    return [*lines, "```"]


def handed_over(pipeline: Pipeline) -> dict[tuple[str, str], set[str]]:
    """What one namespace makes and another reads, by their names."""
    makers = dict(_made(pipeline))
    handed: dict[tuple[str, str], set[str]] = {}
    for node in pipeline.nodes:
        for dataset in node.inputs:
            maker, reader = makers.get(dataset), str(node.namespace)
            if maker not in (None, reader):
                handed.setdefault((str(maker), reader), set()).add(dataset)
    return handed


def _made(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    return ((dataset, str(node.namespace)) for node in pipeline.nodes for dataset in node.outputs)
