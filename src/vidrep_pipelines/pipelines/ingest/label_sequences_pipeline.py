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


def create_label_clips_pipeline() -> Pipeline:
    """The clips of all miniatures; shared by those of several releases, so that these can be added up."""
    blocks = ("davis", "jhmdb", "vip", "points", "label_miniature", "fanout")
    parameters = [f"params:{block}" for block in blocks]
    render = Node(
        label_sequences_nodes.render_label_clips,
        inputs=parameters,
        outputs="label_clips",
        name="render",
        tags=["cpu", "fanout"],
    )
    return Pipeline([render], namespace="label_clips", outputs={"label_clips"}, parameters=set(parameters))


def _create_pipeline(
    release: str,
    request_miniature: Callable[..., object],
    inspect: Callable[..., object],
    index: Callable[..., object],
) -> Pipeline:
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
    return create_label_clips_pipeline() + ingest
