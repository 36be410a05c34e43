"""Frames of robot clips to the latents that a video model is trained on."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.latent_extraction import video_latents_nodes


def create_video_latents_pipeline() -> Pipeline:
    """The codec, the latents of every frame of the store, and what is lost between the two."""
    return Pipeline(
        [
            Node(
                video_latents_nodes.make_video_codec,
                inputs=["frames", "params:video_latents.codec", "params:folders"],
                outputs="codec",
                name="make_codec",
                tags=["vpp", "cpu"],
            ),
            Node(
                video_latents_nodes.extract_video_latents,
                inputs=[
                    "codec",
                    "frames",
                    "params:video_latents.extraction",
                    "params:launch",
                    "params:fanout",
                ],
                outputs="latents",
                name="extract_latents",
                tags=["vpp", "gpu", "fanout"],
            ),
            Node(
                video_latents_nodes.report_video_latents,
                inputs=["codec", "latents", "params:video_latents.extraction"],
                outputs=["report", "decoded"],
                name="report_latents",
                tags=["vpp", "cpu"],
            ),
        ],
        namespace="video_latents",
        inputs={"frames": "robot_frames"},
        outputs={"codec": "video_codec", "latents": "video_latents"},
        parameters={
            "params:video_latents.codec",
            "params:video_latents.extraction",
            "params:folders",
            "params:launch",
            "params:fanout",
        },
    )


def create_video_latents_export_pipeline() -> Pipeline:
    """The latents in the published layout."""
    return Pipeline(
        [
            Node(
                video_latents_nodes.export_video_latents,
                inputs=["latents", "params:video_latents.export"],
                outputs="exported",
                name="export_latents",
                tags=["vpp", "cpu"],
            )
        ],
        namespace="video_latents",
        inputs={"latents": "video_latents"},
        parameters={"params:video_latents.export"},
    )
