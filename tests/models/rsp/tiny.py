"""A tiny RSP for tests, beside the plain reference with the same weights."""

import torch
from benchmarks.reference.rsp_published import PublishedNoise, PublishedRsp, PublishedSettings, draw_noise
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.models.rsp.checkpoint_io import to_original
from vidrep_pipelines.models.rsp.config import RspModelConfig, RspObjectiveConfig
from vidrep_pipelines.models.rsp.model import RspModel
from vidrep_pipelines.models.rsp.objective import RspRandomness, draw_randomness

CONFIG = RspModelConfig(
    image_size=32, patch_size=8, embedding_dimension=32, depth=2, heads=2, decoder_dimension=32,
    decoder_depth=2, decoder_heads=4, latent_variables=4, latent_classes=5,
)  # fmt: skip
SETTINGS = PublishedSettings(
    img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, decoder_embed_dim=32,
    decoder_depth=2, decoder_num_heads=4, stoch=4, discrete=5,
)  # fmt: skip
OBJECTIVE = RspObjectiveConfig()


def make_model(config: RspModelConfig = CONFIG, seed: int = 0) -> RspModel:
    torch.manual_seed(seed)
    return RspModel(config)


def make_frames(batch: int = 3, seed: int = 1) -> tuple[Tensor, Tensor]:
    source, target = torch.randn(2, batch, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    return source, target


def make_randomness(batch: int = 3, config: RspModelConfig = CONFIG) -> RspRandomness:
    return draw_randomness(torch.arange(batch), config, "cpu")


def make_published(model: RspModel) -> PublishedRsp:
    """The reference with the model's weights."""
    reference = PublishedRsp(SETTINGS)
    reference.load_state_dict(to_original(model.state_dict()))
    return reference


def make_equal_randomness(batch: int, seed: int = 0) -> tuple[RspRandomness, PublishedNoise]:
    """The same randomness for ours and for the reference."""
    noise = draw_noise(batch, SETTINGS, seed)
    picks = [F.one_hot(index, 5).bool() for index in (noise.post_index, noise.prior_index)]
    gumbel = [torch.zeros(pick.shape).masked_fill(~pick, float("-inf")) for pick in picks]
    return RspRandomness(noise.target, noise.mask, *gumbel), noise
