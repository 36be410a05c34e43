"""VIP (video instance-level parsing) as published: people, with the part of the body or cloth of each pixel.

Source: Zhou et al., "Adaptive Temporal Encoding Network for Video Instance-level Human Parsing"
(arXiv 1808.00661), part VIP_Fine.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from vidrep_pipelines.data.label_sequences.config import VipConfig
from vidrep_pipelines.data.label_sequences.inspection import MaskRules, inspect_masks
from vidrep_pipelines.data.label_sequences.layout import VIP
from vidrep_pipelines.data.label_sequences.release import read_names, require_root
from vidrep_pipelines.data.label_sequences.sequence import SequenceFiles

CLASS_NAMES = (
    "background",
    "hat",
    "hair",
    "sun-glasses",
    "upper-clothes",
    "dress",
    "coat",
    "socks",
    "pants",
    "gloves",
    "scarf",
    "skirt",
    "torso-skin",
    "face",
    "right-arm",
    "left-arm",
    "right-leg",
    "left-leg",
    "right-shoe",
    "left-shoe",
)

_RULES = MaskRules(consecutive=False, every_frame=False, modes=("P", "L"), largest=len(CLASS_NAMES) - 1)
_REMEDY = (
    "Unpack VIP_Fine (VIP data set, sysu-hcp.net/lip) and set vip.root to its folder, or to null for a "
    "miniature; vip.list names another list."
)


def vip_sequences(root: Path, config: VipConfig) -> list[SequenceFiles]:
    """The videos of the list, in its order, whether or not their files are there.

    Raises:
        InputError: The root or the list is missing.
    """
    require_root("vip.root", root, (VIP.frames, VIP.labels), _REMEDY)
    names = read_names(root / VIP.lists if config.list is None else config.list, _REMEDY)
    return [SequenceFiles(name, root / VIP.frames / name, root / VIP.labels / name) for name in names]


def inspect_vip(files: SequenceFiles, outputs: Mapping[str, Path]) -> dict[str, int]:
    """The facts of a video. Frames are numbered as in the film, with gaps, and some may have no labels.

    Raises:
        InputError: The video cannot be evaluated.
    """
    del outputs
    return asdict(inspect_masks(files, _RULES))
