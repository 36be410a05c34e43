"""Releases of long videos, or the sample world, to frames in a store and a label for each."""

from collections.abc import Callable

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.ingest import long_videos_nodes


def create_pouring_pipeline() -> Pipeline:
    """Pouring (``pouring.root``): TFRecord files, or converted videos."""
    records = _fanout(
        long_videos_nodes.list_pouring_records,
        ["params:pouring", "params:fanout"],
        "tfrecord_files",
        "list_records",
    )
    return _create_pipeline(
        "pouring",
        long_videos_nodes.prepare_pouring,
        long_videos_nodes.label_pouring,
        [records],
        ["tfrecord_files"],
    )


def create_penn_action_pipeline() -> Pipeline:
    """PennAction (``penn_action.root``): folders of frames and label files, or converted videos."""
    return _create_pipeline(
        "penn_action", long_videos_nodes.prepare_penn_action, long_videos_nodes.label_penn_action, [], []
    )


def create_finegym_pipeline() -> Pipeline:
    """FineGym (``finegym.root``): long videos of which the events are cut out, or events."""
    events = _fanout(
        long_videos_nodes.cut_finegym_events, ["params:finegym", "params:fanout"], "events", "cut_events"
    )
    return _create_pipeline(
        "finegym", long_videos_nodes.prepare_finegym, long_videos_nodes.label_finegym, [events], ["events"]
    )


def _create_pipeline(
    release: str,
    prepare: Callable[..., object],
    label: Callable[..., object],
    first: list[Node],
    products: list[str],
) -> Pipeline:
    """All of a release; ``first`` makes what ``products`` names, which preparation and labels start from."""
    parameters = f"params:{release}"
    sources = ["source_clips", *products]
    return Pipeline(
        [
            _fanout(
                long_videos_nodes.render_long_videos, [parameters, "params:fanout"], "source_clips", "render"
            ),
            *first,
            _fanout(prepare, [*sources, parameters, "params:fanout"], "prepared_videos", "prepare_videos"),
            Node(
                label,
                inputs=[*sources, "prepared_videos", parameters],
                outputs=["labelled_videos", "left_out_videos"],
                name="label_videos",
                tags=["cpu"],
            ),
            _fanout(
                long_videos_nodes.assemble_long_videos,
                ["prepared_videos", "labelled_videos", parameters, "params:fanout"],
                "video_frames",
                "assemble_frames",
            ),
        ],
        namespace=release,
        outputs={name: f"{release}_{name}" for name in ("labelled_videos", "video_frames")},
        parameters={parameters, "params:fanout"},
    )


def _fanout(function: Callable[..., object], inputs: list[str], output: str, name: str) -> Node:
    return Node(function, inputs=inputs, outputs=output, name=name, tags=["cpu", "fanout"])
