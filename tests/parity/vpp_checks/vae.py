"""The autoencoder of a recorded case: posterior, condition, decoded frames."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from tests.models.vpp.video.codecs import publish
from tests.parity.vpp_checks.case_model import case_arrays, near
from vidrep_pipelines.models.vpp.video.codec import VaeCodec, load_codec, seeded_noise
from vidrep_pipelines.models.vpp.video.codec_config import CodecConfig
from vidrep_pipelines.models.vpp.video.codec_making import named_vae


def case_codec(folder: Path) -> VaeCodec:
    """By the way of the catalog."""
    with TemporaryDirectory() as name:
        codec = load_codec(publish(named_vae(CodecConfig(folder=folder / "svd")), Path(name) / "codec"))
    assert isinstance(codec, VaeCodec)
    return codec


@torch.inference_mode()
def check(folder: Path) -> None:
    """Every recorded value of the folder."""
    codec, arrays = case_codec(folder), case_arrays(folder, "vae")
    posterior = codec.vae.encode(arrays["pixels"]).latent_dist
    for name, found in (("mean", posterior.mean), ("logvar", posterior.logvar), ("std", posterior.std)):
        near(found, arrays[name], name)
    near(codec.encode(arrays["pixels"]) / codec.condition_scale, arrays["cond_latents"], "cond_latents")
    sample = codec.encode(arrays["pixels"], torch.tensor([3, 4])) / codec.condition_scale
    noise = seeded_noise([3, 4], sample.shape[1:], sample.device)
    near(sample, arrays["mean"] + arrays["std"] * noise, "a sample")
    latents = arrays["decode_latents"] * codec.condition_scale
    near(codec.decode(latents), arrays["decoded"], "decoded")
