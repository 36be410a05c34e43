"""How well a tokenizer reconstructs held-out clips."""

from kedro.pipeline import Node, Pipeline

from vidrep_pipelines.pipelines.downstream_eval import reconstruction_nodes

_SHARED = (
    "params:measured_clips",
    "params:reconstruction",
    "params:launch",
    "params:folders",
    "params:tracking",
)
_DATA = ("params:robonet", "params:ingest")
_MEASURED = [
    "reconstruction_values",
    "reconstruction_summary",
    "reconstruction_metrics",
    "reconstruction_runs",
]
_TAGS = ["vqvae", "gpu", "eval"]


def create_vqvae_reconstruction_pipeline(namespace: str = "vqvae") -> Pipeline:
    """Measures VQ-VAE on held-out clips, shows clips, and draws all measured runs by their rate."""
    return Pipeline(
        [
            Node(
                reconstruction_nodes.measure_vqvae,
                inputs=["checkpoint", "training_spec", "frame_store", *_SHARED],
                outputs=_MEASURED,
                name="measure_reconstruction",
                tags=_TAGS,
            ),
            *_pictures(),
        ],
        namespace=namespace,
        inputs={"frame_store": "frame_store", "checkpoint": f"{namespace}_checkpoint"},
        parameters={*_SHARED, *_DATA},
    )


def create_original_reconstruction_pipeline(namespace: str = "vqvae_original") -> Pipeline:
    """The same for a checkpoint of the original code, ``params:vqvae_original``; nothing is trained."""
    return Pipeline(
        [
            Node(
                reconstruction_nodes.open_original_vqvae,
                inputs=["params:original", "params:folders"],
                outputs="checkpoint",
                name="open",
                tags=["vqvae"],
            ),
            Node(
                reconstruction_nodes.measure_original_vqvae,
                inputs=["checkpoint", "frame_store", *_SHARED],
                outputs=_MEASURED,
                name="measure_reconstruction",
                tags=_TAGS,
            ),
            *_pictures(),
        ],
        namespace=namespace,
        inputs={"frame_store": "frame_store"},
        outputs={"checkpoint": f"{namespace}_checkpoint"},
        parameters={
            "params:original": f"params:{namespace}",
            **{name: name for name in (*_SHARED, *_DATA)},
        },
    )


def _pictures() -> list[Node]:
    return [
        Node(
            reconstruction_nodes.vqvae_clip_pictures,
            inputs=["checkpoint", "frame_store", "params:measured_clips", "reconstruction_summary", *_DATA],
            outputs=["reconstruction_strips", "reconstruction_film", "reconstruction_per_robot"],
            name="draw_clips",
            tags=["vqvae"],
        ),
        Node(
            reconstruction_nodes.rate_distortion_picture,
            inputs="reconstruction_runs",
            outputs="rate_distortion",
            name="draw_rate_distortion",
            tags=["vqvae"],
        ),
    ]


def create_comparison_pipeline(pixel: str, perceptual: str, clips: str) -> Pipeline:
    """Puts three measured variants of VQ-VAE side by side.

    Args:
        pixel: Namespace of the variant with the pixel loss.
        perceptual: Namespace of the one with the perceptual loss.
        clips: Namespace of the one that decodes clips.
    """
    variants = {"pixel": pixel, "perceptual": perceptual, "clips": clips}
    return Pipeline(
        [
            Node(
                reconstruction_nodes.compare_variants,
                inputs=list(variants),
                outputs=["ablation_table", "ablation_picture"],
                name="compare_variants",
                tags=["vqvae"],
            )
        ],
        namespace="vqvae",
        inputs={name: f"{variant}.reconstruction_metrics" for name, variant in variants.items()},
    )
