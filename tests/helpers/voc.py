"""Parameters with which the pipelines of Video Occupancy Models take seconds."""

from typing import Any

from tests.helpers.occupancy import TINY_OCCUPANCY
from tests.helpers.project import merged

_TRAIN: dict[str, Any] = {"steps": 4, "batch_size": 4, "checkpoint_every_steps": 2}

TINY_VOC: dict[str, Any] = merged(
    TINY_OCCUPANCY,
    {
        "sample_agent": {"episodes": 6},
        "dmc": {"store": {"shard_mebibytes": 1}},
        "launch": {"threads_per_process": 1},
        **{f"voc_tokenizer_{kind}": {"train": _TRAIN} for kind in ("vae", "dino", "musik")},
        "voc_vae": {"train": _TRAIN},
        "voc_joint": {
            **TINY_OCCUPANCY["voc_vae"],
            "tokenizer": TINY_OCCUPANCY["voc_tokenizer_vae"]["model"],
            "train": {**TINY_OCCUPANCY["voc_vae"]["train"], **_TRAIN},
        },
    },
)
