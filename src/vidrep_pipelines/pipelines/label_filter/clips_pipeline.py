"""Resized clips to the table of clips that training uses."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.label_filter import clips_nodes


def create_label_filter_pipeline() -> Pipeline:
    """Keeps the healthy clips, says why the others were dropped, shows both."""
    return Pipeline(
        [
            Node(
                clips_nodes.filter_indexed_clips,
                inputs=["resized_index", "params:label_filter"],
                outputs=["clip_table", "dropped_clips", "report"],
                name="filter_clips",
                tags=["cpu"],
            ),
            Node(
                clips_nodes.list_labels,
                inputs=["clip_table", "resized_videos"],
                outputs="label_list",
                name="list_labels",
                tags=["cpu"],
            ),
            Node(
                clips_nodes.paint_filter_report,
                inputs="report",
                outputs="report_picture",
                name="draw_report",
                tags=["cpu"],
            ),
            Node(
                clips_nodes.paint_contact_sheet,
                inputs=["clip_table", "resized_videos"],
                outputs="contact_sheet",
                name="draw_contact_sheet",
                tags=["cpu"],
            ),
        ],
        namespace="label_filter",
        inputs={"resized_index", "resized_videos"},
        outputs={"clip_table", "dropped_clips", "label_list", "contact_sheet"},
        parameters={"params:label_filter"},
    )
