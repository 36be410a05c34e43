"""Parameters of label propagation, and the published choices by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError

Variant = Literal["dino", "videowalk", "dinov3"]
PropagationPrecision = Literal["fp32", "bf16"]
LabelResize = Literal["direct", "through_input"]
FrameResize = Literal["opencv", "bicubic", "lanczos"]
NormalizationRule = Literal["published", "encoder"]
PropagationTask = Literal["davis", "jhmdb", "vip"]
PropagationPresetName = Literal["rsp", "dino", "videowalk", "cropmae", "dinov3", "rvm"]


class PropagationConfig(FrozenConfig):
    """How labels move from context frames to the next one. Defaults: the script shipped with RSP.

    The published variants are not numerically the same:

    ==================  ==========================  ==============================  ========================
    .                   ``dino``                    ``videowalk``                   ``dinov3``
    ==================  ==========================  ==============================  ========================
    window              square, |dy|, |dx| <= r     disc, sqrt(dy^2 + dx^2) < r     disc, ... <= r
    first frame         within the window as well   unrestricted                    within the window
    early context       as many frames as there     filled up with copies of the    as many frames as there
                        are                         first one                       are
    kept sources        all >= the k-th largest     exactly k                       all >= the k-th largest
    masks to the grid   nearest                     bilinear                        nearest
    and back to pixels  bilinear; min-max per       bilinear; as they are           nearest; min-max per
                        channel, a constant one                                     channel, a constant one
                        wins                                                        loses
    ==================  ==========================  ==============================  ========================
    """

    variant: Variant = "dino"
    """`dino` (Caron et al. 2021; DAVIS of RSP), `videowalk` (Jabri et al. 2020; CropMAE, RVM, JHMDB, VIP) or
    `dinov3` (Simeoni et al. 2025, arXiv 2508.10104, and the notebook of its repository)."""

    top_k: int = Field(7, ge=1)
    """Sources that a location takes its label from, over all context frames together."""

    radius: float = 30
    """Radius of the window in cells of the feature grid; 0 or less: no window."""

    context_frames: int = Field(30, ge=1)
    """Frames before the target that form its context, besides the first frame of the video."""

    temperature: float = Field(0.1, gt=0)
    """Divides cosine similarities before the softmax."""

    precision: PropagationPrecision = "fp32"
    """`bf16` halves the memory of the context and ranks sources in bfloat16; the similarities of the best
    four times `top_k` are then computed in float32, from rounded features, and exactly `top_k` are kept."""

    block_bytes: int = Field(32 * 2**20, gt=0)
    """Similarities that are held at a time, in bytes; has no influence on the result."""


class FrameSize(FrozenConfig):
    """How large the network sees a frame."""

    rule: Literal["short_side", "short_side_up", "long_side", "exact", "native"] = "short_side"
    """`short_side` and `long_side`: the named side gets the length, the other one keeps the aspect, rounded
    down to a multiple of 64; `short_side_up`: the same, with both sides rounded up to multiples of the
    encoder's stride; `exact`: height and width; `native`: as the file is."""

    sides: tuple[int, ...] = (480,)
    """One length, or height and width for `exact`; nothing for `native`. A DAVIS frame of 880x480 shrinks to
    832x480 under the default, exactly as a native one of 854x480 does: the published grid is 30x52."""


class Preset(FrozenConfig):
    """Everything one source says about one task."""

    propagation: PropagationConfig
    """How labels are propagated."""

    frame_size: FrameSize
    """How large frames are."""

    stride: int = Field(16, gt=0)
    """Pixels per cell of the feature grid (patch size of a ViT)."""

    label_resize: LabelResize = "direct"
    """How the first frame's label map comes to the grid; see :class:`LabelPropagationConfig`."""

    decoded_cells: int = Field(3, ge=1)
    """Best cells of a joint whose mean is its position."""

    frame_resize: FrameResize = "opencv"
    """How frames come to that size; see :class:`LabelPropagationConfig`."""

    normalization: NormalizationRule = "published"
    """Whose mean and standard deviation frames get; see :class:`LabelPropagationConfig`."""


_JHMDB_SIZE = FrameSize(rule="exact", sides=(320, 320))
_SHIPPED = PropagationConfig()
_DINO = PropagationConfig(top_k=5, radius=12, context_frames=7)
_CROPMAE = PropagationConfig(variant="videowalk", radius=20, context_frames=20, temperature=0.7)
_VIDEOWALK = PropagationConfig(variant="videowalk", top_k=10, radius=12, context_frames=20, temperature=0.05)
_VIDEOWALK_POSE = _VIDEOWALK.model_copy(update={"temperature": 0.07})
# RSP does not publish what it used for JHMDB and VIP. Its lineage's script for JHMDB has these defaults; that
# for VIP is the one of DAVIS on frames of 560x560, and for what is given to it at run time CropMAE's values
# stand in, which are consistent with published scores.
_RSP_POSE = PropagationConfig(variant="videowalk", top_k=10, radius=5, context_frames=7, temperature=0.05)
_RSP_PARTS = PropagationConfig(top_k=10, radius=20, context_frames=20)
_CROPMAE_PARTS = _CROPMAE.model_copy(update={"top_k": 10})
# The notebook of the repository; the paper names the same rule for DAVIS, YouTube-VOS and MOSE.
_DINOV3 = PropagationConfig(variant="dinov3", top_k=5, radius=12, context_frames=7, temperature=0.2)

PRESETS: Mapping[tuple[PropagationTask, PropagationPresetName], Preset] = MappingProxyType(
    {
        ("davis", "rsp"): Preset(propagation=_SHIPPED, frame_size=FrameSize()),
        ("davis", "dino"): Preset(propagation=_DINO, frame_size=FrameSize()),
        ("davis", "videowalk"): Preset(
            propagation=_VIDEOWALK, frame_size=FrameSize(rule="native", sides=()), stride=8
        ),
        ("davis", "cropmae"): Preset(
            propagation=_CROPMAE,
            frame_size=FrameSize(rule="exact", sides=(480, 880)),
            label_resize="through_input",
        ),
        ("davis", "dinov3"): Preset(
            propagation=_DINOV3,
            frame_size=FrameSize(rule="short_side_up", sides=(960,)),
            frame_resize="bicubic",
        ),
        ("davis", "rvm"): Preset(
            propagation=_CROPMAE,
            frame_size=FrameSize(rule="exact", sides=(480, 880)),
            label_resize="through_input",
            frame_resize="lanczos",
            normalization="encoder",
        ),
        ("jhmdb", "rsp"): Preset(propagation=_RSP_POSE, frame_size=_JHMDB_SIZE),
        ("jhmdb", "videowalk"): Preset(propagation=_VIDEOWALK_POSE, frame_size=_JHMDB_SIZE, stride=8),
        ("jhmdb", "cropmae"): Preset(propagation=_CROPMAE, frame_size=_JHMDB_SIZE, decoded_cells=5),
        ("jhmdb", "rvm"): Preset(
            propagation=_CROPMAE,
            frame_size=_JHMDB_SIZE,
            decoded_cells=5,
            frame_resize="lanczos",
            normalization="encoder",
        ),
        ("vip", "rsp"): Preset(propagation=_RSP_PARTS, frame_size=FrameSize(rule="exact", sides=(560, 560))),
        ("vip", "cropmae"): Preset(
            propagation=_CROPMAE_PARTS,
            frame_size=FrameSize(rule="long_side", sides=(880,)),
            label_resize="through_input",
        ),
        ("vip", "rvm"): Preset(
            propagation=_CROPMAE_PARTS,
            frame_size=FrameSize(rule="exact", sides=(448, 880)),
            label_resize="through_input",
            frame_resize="lanczos",
            normalization="encoder",
        ),
    }
)

DEFAULT_PRESETS: Mapping[PropagationTask, PropagationPresetName] = MappingProxyType(
    {"davis": "rsp", "jhmdb": "cropmae", "vip": "cropmae"}
)


def preset(task: PropagationTask, name: PropagationPresetName) -> Preset:
    """The published parameters of a task.

    Raises:
        ConfigurationError: The source says nothing about the task.
    """
    try:
        return PRESETS[task, name]
    except KeyError:
        known = ", ".join(other for of_task, other in PRESETS if of_task == task)
        raise ConfigurationError(
            f"There is no preset {name!r} for {task}; choose one of {known}, or give the parameters."
        ) from None
