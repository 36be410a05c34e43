"""Releases of labelled videos, or miniatures of them, to tables of sequences."""

from collections.abc import Callable

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.ingest import label_sequences_nodes


def create_davis_pipeline() -> Pipeline:
    """DAVIS-2017 (``davis.root``) or the sample world's masks in its layout."""
    return _create_pipeline(
        "davis",
        label_sequences_nodes.request_davis_miniature,
        label_sequences_nodes.plan_davis_inspection,
        label_sequences_nodes.index_davis,
    )


def create_jhmdb_pipeline() -> Pipeline:
    """JHMDB (``jhmdb.root``) or the sample world's keypoints in its layout."""
    return _create_pipeline(
        "jhmdb",
        label_sequences_nodes.request_jhmdb_miniature,
        label_sequences_nodes.plan_jhmdb_inspection,
        label_sequences_nodes.index_jhmdb,
    )


def create_vip_pipeline() -> Pipeline:
    """VIP (``vip.root``) or the sample world's parts in its layout."""
    return _create_pipeline(
        "vip",
        label_sequences_nodes.request_vip_miniature,
        label_sequences_nodes.plan_vip_inspection,
        label_sequences_nodes.index_vip,
    )


def _create_pipeline(
    release: str,
    request_miniature: Callable[..., object],
    inspect: Callable[..., object],
    index: Callable[..., object],
) -> Pipeline:
    """The rendering is shared by the three, so that pipelines of several releases can be added up."""
    parameters = ["params:davis", "params:jhmdb", "params:vip", "params:label_miniature", "params:fanout"]
    rendering = Pipeline(
        [
            Node(
                label_sequences_nodes.render_label_clips,
                inputs=parameters,
                outputs="label_clips",
                name="render",
                tags=["cpu", "fanout"],
            )
        ],
        namespace="label_clips",
        outputs={"label_clips"},
        parameters=set(parameters),
    )
    ingest = Pipeline(
        [
            Node(
                request_miniature,
                inputs=["label_clips", f"params:{release}", "params:label_miniature"],
                outputs="miniature",
                name="write_miniature",
                tags=["cpu"],
            ),
            Node(
                inspect,
                inputs=["miniature", f"params:{release}", "params:fanout"],
                outputs="inspection",
                name="inspect_sequences",
                tags=["cpu", "fanout"],
            ),
            Node(
                index,
                inputs=["inspection", "miniature", f"params:{release}"],
                outputs="sequences",
                name="index_sequences",
                tags=["cpu"],
            ),
        ],
        namespace=release,
        inputs={"label_clips"},
        parameters={f"params:{release}", "params:label_miniature", "params:fanout"},
    )
    return rendering + ingest
