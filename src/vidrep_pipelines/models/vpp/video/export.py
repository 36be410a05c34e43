"""A trained video model as others read it: diffusers' layout, and adapters by themselves."""

import json
from pathlib import Path
from typing import Any

from vidrep_pipelines.common.atomic import atomic_directory
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.weight_file import write_weights
from vidrep_pipelines.models.vpp.video.adaptation import adapter_weights
from vidrep_pipelines.models.vpp.video.checkpoint_io import write_diffusers_folder
from vidrep_pipelines.models.vpp.video.inference import load_video_model

ADAPTER, ADAPTER_FACTS = "adapter.safetensors", "adapter.json"
"""What training with adapters changed, and the digest of the weights that it belongs to."""


def export_video_model(checkpoint: Checkpoint, folder: Path, *, half: bool) -> dict[str, Any]:
    """Writes a trained UNet in diffusers' layout, in place of what the folder held.

    Adapters are added to the weights; they are also written by themselves, for those who have the base.

    Args:
        checkpoint: Of the catalog.
        folder: Receives ``unet/``, ``scheduler/`` and ``model_index.json``.
        half: Write the UNet in half precision.

    Returns:
        Frames of a clip, whether in half precision, and the facts about adapters if there are any.

    Raises:
        InputError: It is no checkpoint of a video model.
    """
    model, frames = load_video_model(checkpoint)
    facts: dict[str, Any] = {"frames": frames, "half": half}
    with atomic_directory(folder) as partial:
        write_diffusers_folder(partial, model.config.unet, model.state_dict(), frames, half=half)
        adaptation = checkpoint.config.get("adaptation") or {}
        if adaptation.get("lora") is not None:
            base = (checkpoint.config.get("digests_of_files") or {}).get("initialize_from")
            facts["adapter"] = {"lora": adaptation["lora"], "base_digest": base}
            write_weights(adapter_weights(checkpoint.state_dict()), partial / ADAPTER)
            (partial / ADAPTER_FACTS).write_text(json.dumps(facts["adapter"], indent=1) + "\n")
    return facts
