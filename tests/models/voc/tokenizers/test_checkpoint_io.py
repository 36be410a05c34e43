"""The full-size models have exactly the tensors of the published files."""

import torch

from tests.helpers.published_names import published_names
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig
from vidrep_pipelines.models.voc.tokenizers.dino import checkpoint_io as vqkd_io
from vidrep_pipelines.models.voc.tokenizers.dino.config import VqkdConfig
from vidrep_pipelines.models.voc.tokenizers.dino.model import VqkdTokenizer
from vidrep_pipelines.models.voc.tokenizers.musik import checkpoint_io as musik_io
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer
from vidrep_pipelines.models.voc.tokenizers.vae import checkpoint_io as vae_io
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer

Shapes = dict[str, list[int]]


def published(name: str, *dropped: str) -> Shapes:
    table = published_names("voc")[name]
    return {key: shape for key, (shape, _) in table.items() if not key.startswith(dropped or "\0")}


def shapes(state: dict[str, torch.Tensor]) -> Shapes:
    return {name: list(value.shape) for name, value in state.items()}


def test_vae() -> None:
    with torch.device("meta"):
        model = VaeTokenizer(VaeConfig())
    state = vae_io.to_original(model.state_dict())
    assert shapes(state) == published("vae_vqmodel_with_loss", "loss.")
    assert vae_io.infer_config(state, PixelConfig()) == VaeConfig()


def test_vqkd() -> None:
    with torch.device("meta"):
        model = VqkdTokenizer(VqkdConfig())
    state = vqkd_io.to_original(model.state_dict())
    assert shapes(state) == published("dino_vqkd_tokenizer")
    assert vqkd_io.infer_config(state) == VqkdConfig()


def test_musik() -> None:
    with torch.device("meta"):
        model = MusikTokenizer(MusikConfig())
    state, head = musik_io.to_original(model.state_dict())
    assert shapes(state) == published("musik_vqmusik", "decoder.")
    assert shapes(head) == published("musik_infonce")
    inferred = musik_io.infer_config(state, PixelConfig(), frame_stack=3, action_dimension=6)
    assert inferred == MusikConfig()
