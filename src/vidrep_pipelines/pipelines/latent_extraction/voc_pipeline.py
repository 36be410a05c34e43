"""Episodes through a tokenizer."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.models.voc.config import OccupancyName, ReleasedName
from vidrep_pipelines.pipelines.latent_extraction import voc_nodes


def create_voc_extraction_pipeline(kind: OccupancyName) -> Pipeline:
    """The codes of every frame, shard by shard, and the episodes that the occupancy model is trained on."""
    return Pipeline(
        [
            Node(
                voc_nodes.extract_voc_codes,
                inputs=["tokenizer", "frames", "params:extraction", "params:launch", "params:fanout"],
                outputs="codes",
                name="extract_codes",
                tags=["voc", "gpu", "fanout"],
            ),
            Node(
                voc_nodes.assemble_episodes,
                inputs=["tokenizer", "codes"],
                outputs="token_episodes",
                name="assemble_episodes",
                tags=["voc"],
            ),
            Node(
                voc_nodes.show_voc_codes,
                inputs=["codes", "tokenizer"],
                outputs=["codes_report", "codes_histogram"],
                name="show_codes",
                tags=["voc"],
            ),
        ],
        namespace=f"voc_{kind}",
        inputs={"tokenizer": f"voc_tokenizer_{kind}_checkpoint", "frames": "dmc_frames"},
        parameters={name: name for name in ("params:launch", "params:fanout")},
    )


def create_released_latents_pipeline(kind: ReleasedName) -> Pipeline:
    """The episodes under the codes that the authors publish; no frames and no tokenizer are needed."""
    return Pipeline(
        [
            Node(
                voc_nodes.read_released_latents,
                inputs="params:released",
                outputs="token_episodes",
                name="read_latents",
                tags=["voc"],
            )
        ],
        namespace=f"voc_{kind}",
        parameters={"params:released": f"params:voc_{kind}_latents"},
    )
