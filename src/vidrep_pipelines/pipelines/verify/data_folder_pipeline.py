"""Products on disk compared with what was written."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.verify import data_folder_nodes


def create_verification_pipeline() -> Pipeline:
    """Reads every product below the data root and compares it with the checksum that its manifest has."""
    return Pipeline(
        [
            Node(
                data_folder_nodes.check_products,
                inputs="params:verify",
                outputs=["damaged_files", "report"],
                name="check_products",
                tags=["cpu"],
            ),
            Node(
                data_folder_nodes.settle_damage,
                inputs=["damaged_files", "params:verify"],
                outputs=None,
                name="settle_damage",
                tags=["cpu"],
            ),
        ],
        namespace="verify",
        parameters={"params:verify"},
    )
