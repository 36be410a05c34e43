"""Tiny trained models of every system, published as the pipelines publish them, and exported."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.models.carl.tiny import make_model as make_carl
from tests.models.rsp.tiny import CONFIG as RSP_CONFIG
from tests.models.rsp.tiny import make_model as make_rsp
from tests.models.voc.tokenizers.tiny import musik_config, vae_config, vqkd_config
from tests.models.vqvae.tiny import make_config as vqvae_config
from tests.models.vqvae.tiny import make_model as make_vqvae
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset, CheckpointSource, ExportDescription
from vidrep_pipelines.datasets.torch_weights import TorchWeights
from vidrep_pipelines.models.carl.config import CarlDataConfig
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.weight_file import write_weights
from vidrep_pipelines.models.voc.tokenizers.dino.model import VqkdTokenizer
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig
from vidrep_pipelines.pipelines.pretrain import carl_nodes, rsp_nodes, voc_tokenizer_nodes, vqvae_nodes

META = {"digest": "0123456789abcdef", "step": 6, "passes": 2.0, "metrics": {"loss": 0.25}}
Content = tuple[dict[str, Any], dict[str, Tensor]]
"""What a checkpoint's config.json says, and the weights."""


def _rsp() -> Content:
    return RSP_CONFIG.model_dump(mode="json"), make_rsp().state_dict()


def _vqvae() -> Content:
    config = vqvae_config(decoder="3d")
    described = {"model": config.model_dump(mode="json"), "data": VqvaeDataConfig().model_dump(mode="json")}
    return described, make_vqvae(config).state_dict()


def _carl() -> Content:
    model = make_carl()
    data = CarlDataConfig.model_validate({"sampling": {"frames": 6}})
    described = {"model": model.config.model_dump(mode="json"), "data": data.model_dump(mode="json")}
    return described, model.state_dict()


def _tokenizer(kind: str, config: Any, network: Callable[[Any], torch.nn.Module]) -> Content:
    torch.manual_seed(0)
    state = network(config).state_dict()
    return {"kind": kind, "model": config.model_dump(mode="json")}, state


CONTENTS: dict[str, Callable[[], Content]] = {
    "rsp": _rsp,
    "vqvae": _vqvae,
    "carl": _carl,
    "voc_vae": lambda: _tokenizer("vae", vae_config(), VaeTokenizer),
    "voc_dino": lambda: _tokenizer("dino", vqkd_config(), VqkdTokenizer),
    "voc_musik": lambda: _tokenizer("musik", musik_config(), MusikTokenizer),
}
EXPORTS: dict[str, Callable[[Checkpoint], dict[str, Any]]] = {
    "rsp": rsp_nodes.export_rsp,
    "vqvae": vqvae_nodes.export_vqvae,
    "carl": carl_nodes.export_carl,
    "voc_vae": voc_tokenizer_nodes.export_tokenizer,
    "voc_dino": voc_tokenizer_nodes.export_tokenizer,
    "voc_musik": voc_tokenizer_nodes.export_tokenizer,
}


def publish_tiny(system: str, folder: Path, run: Path) -> Checkpoint:
    """Publishes a random tiny model.

    Args:
        system: Key of ``CONTENTS``.
        folder: Of the checkpoint.
        run: Where its weights lie before.
    """
    config, state = CONTENTS[system]()
    write_weights(state, run / "model.safetensors")
    dataset = CheckpointDataset(filepath=folder.as_posix())
    dataset.save(CheckpointSource(run, config, {"system": system, **META}))
    return dataset.load()


def export_tiny(system: str, checkpoint: Checkpoint, path: Path) -> Path:
    """Writes a checkpoint in the original layout, as the nodes of ``export_<system>`` do."""
    TorchWeights(filepath=path.as_posix()).save(EXPORTS[system](checkpoint))
    ExportDescription(filepath=path.with_suffix(".json").as_posix()).save(checkpoint)
    return path
