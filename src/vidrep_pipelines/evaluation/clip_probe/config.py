"""How clips are probed."""

from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.evaluation.label_propagation.settings import DeviceName

ProbeHead = Literal["knn", "linear", "attentive"]


class NearestClipsConfig(FrozenConfig):
    """Weighted nearest neighbors, as DINO (Caron et al. 2021) evaluates features."""

    neighbors: tuple[int, ...] = Field((1, 5, 10, 20), min_length=1)
    """Numbers of neighbors to choose from."""

    temperature: float = Field(0.07, gt=0)
    """A neighbor's vote is exp(cosine / temperature)."""


class LinearClipsConfig(FrozenConfig):
    """Softmax regression on the mean feature, standardized by the training clips."""

    penalties: tuple[float, ...] = Field((1e-4, 1e-3, 1e-2, 1e-1, 1.0), min_length=1)
    """L2 penalties per clip to choose from."""

    iterations: int = Field(200, ge=1)
    """Most steps of L-BFGS."""


class AttentiveClipsConfig(FrozenConfig):
    """A learned query attends to all tokens of a clip, then a linear layer (Bardes et al. 2024, V-JEPA)."""

    learning_rates: tuple[float, ...] = Field((3e-4, 1e-3, 3e-3), min_length=1)
    """Peaks of the learning rate to choose from."""

    epochs: int = Field(20, ge=1)
    """Passes over the training clips."""

    batch_size: int = Field(64, ge=1)
    """Clips per update."""

    width: int = Field(384, gt=0)
    """Width of the attention; tokens are projected to it."""

    heads: int = Field(6, gt=0)
    """Attention heads."""

    weight_decay: float = Field(0.01, ge=0)
    """AdamW's."""


class ClipProbeConfig(FrozenConfig):
    """How clips are probed by the features of all encoders alike (``params:eval_probe``)."""

    probes: tuple[ProbeHead, ...] = Field(("knn", "linear", "attentive"), min_length=1)
    """Which heads; the first one is the headline."""

    frames: int = Field(8, ge=1)
    """Frames of a clip that the encoder sees, evenly spaced from its start to its end; one that looks at
    windows of frames sees the next multiple of its window."""

    image_size: int = Field(224, gt=0)
    """Side of the square in the middle of a frame that the encoder sees, in pixels after resizing."""

    token_grid: int = Field(4, ge=1)
    """Rows and columns of tokens that are kept of each frame, averaged from the encoder's grid."""

    tuning_share: float = Field(0.2, gt=0, lt=1)
    """Share of the training clips that settings are chosen on; with the best ones a head is trained again on
    all training clips. Validation clips choose nothing."""

    knn: NearestClipsConfig = NearestClipsConfig()
    """Head `knn`."""

    linear: LinearClipsConfig = LinearClipsConfig()
    """Head `linear`."""

    attentive: AttentiveClipsConfig = AttentiveClipsConfig()
    """Head `attentive`."""

    seed: int = 0
    """Which clips settings are chosen on, first weights and order of batches follow from it."""

    device: DeviceName = "auto"
    """`auto` takes CUDA where there is one; several GPUs share the clips."""

    workers_per_gpu: int = Field(2, ge=1)
    """Worker processes of each GPU while features are extracted, in place of one per core."""
