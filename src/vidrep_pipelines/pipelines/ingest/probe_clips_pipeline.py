"""Kinetics, Something-Something v2, or the sample world's activities to a table of labelled clips."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.ingest import probe_clips_nodes


def create_probe_clips_pipeline() -> Pipeline:
    """The clips that ``params:probe_clips`` names, or rendered ones."""
    parameters = {"params:probe_clips", "params:probe_world", "params:fanout"}
    return Pipeline(
        [
            Node(
                probe_clips_nodes.render_probe_clips,
                inputs=["params:probe_clips", "params:probe_world", "params:fanout"],
                outputs="rendered",
                name="render",
                tags=["cpu", "fanout"],
            ),
            Node(
                probe_clips_nodes.list_probe_clips,
                inputs=["rendered", "params:probe_clips"],
                outputs="clips",
                name="list_clips",
                tags=["cpu"],
            ),
        ],
        namespace="probe",
        parameters=parameters,
    )
