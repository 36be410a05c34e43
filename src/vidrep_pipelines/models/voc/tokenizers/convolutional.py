"""What the tokenizers ``vae`` and ``musik`` share: a convolutional encoder and a codebook.

Shapes: pictures (N, 3, S, S), normalized; latents (N, D, h, h); codes (N, h, h) int64 in 0..K-1.
"""

from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Tensor, nn

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.layers.vector_quantizer import Quantized, build_quantizer, codebook_loss
from vidrep_pipelines.models.layers.vqgan import FrameEncoder
from vidrep_pipelines.models.layers.vqgan_config import CodebookConfig, VqganConfig
from vidrep_pipelines.models.layers.vqgan_weights import original_path, our_path
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig, QuantizationConfig
from vidrep_pipelines.training.task import StepInfo


class ConvolutionalTokenizer(nn.Module):
    """Encoder, codebook, and the 1x1 convolutions around the codebook.

    Args:
        network: Sizes of the encoder; ``image_size`` is nominal and decides where attention is.
        codes: The codebook.
        pixels: Size and units of the pictures.

    Raises:
        ConfigurationError: The size of the pictures does not fit the encoder.
    """

    def __init__(self, network: VqganConfig, codes: CodebookConfig, pixels: PixelConfig) -> None:
        super().__init__()
        if pixels.size % network.downsampling:
            raise ConfigurationError(
                f"pixels.size is {pixels.size}, but one code covers {network.downsampling} pixels. "
                "Remedy: a multiple of that, or other network.width_multipliers."
            )
        self.pixels = pixels
        self.grid = pixels.size // network.downsampling
        self.encoder = FrameEncoder(network)
        self.quantizer, self.codebook_average = build_quantizer(codes)
        self.to_latents = nn.Conv2d(network.latent_channels, codes.dimension, 1)
        self.from_latents = nn.Conv2d(codes.dimension, network.latent_channels, 1)

    @property
    def vocabulary(self) -> int:
        """Number of codes K."""
        return self.quantizer.size

    @property
    def codebook(self) -> Tensor:
        """(K, D) entries, as latents are compared with them."""
        return self.quantizer.entries()

    def latents(self, images: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) to latents (N, D, h, h).

        Raises:
            InputError: The pictures are of another size.
        """
        if images.shape[1:] != (3, self.pixels.size, self.pixels.size):
            raise InputError(
                f"The tokenizer takes pictures (N, 3, {self.pixels.size}, {self.pixels.size}), not "
                f"{tuple(images.shape)}. Remedy: prepare the frames with the tokenizer's pixels."
            )
        latents: Tensor = self.to_latents(self.encoder(images))
        return latents

    def quantize(self, latents: Tensor) -> Quantized:
        """Latents (N, D, h, h) to the nearest entries."""
        entries, codes, compared = self.quantizer(rearrange(latents, "n d h w -> n h w d"))
        return Quantized(rearrange(entries, "n h w d -> n d h w"), codes, compared)

    def encode(self, images: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) to codes (N, h, h)."""
        latents = rearrange(self.latents(images), "n d h w -> n h w d")
        return self.quantizer.nearest(self.quantizer.prepare(latents))

    def quantization_loss(self, quantized: Quantized, config: QuantizationConfig) -> Tensor:
        """The codebook loss: of entries that follow averages only the commitment, of a grid nothing."""
        if not self.quantizer.learns:
            return quantized.latents.new_zeros(())
        legacy, learned = config.weighting == "legacy", self.codebook_average is None
        return codebook_loss(
            quantized.latents,
            self.quantizer.lookup(quantized.codes),
            commitment_weight=1.0 if legacy else config.beta,
            codebook_weight=(config.beta if legacy else 1.0) if learned else 0.0,
        )

    def observe(self, quantized: Quantized, seeds: Tensor) -> None:
        """Shows a codebook of averages what was quantized.

        Args:
            quantized: The pictures of B samples, in their order.
            seeds: (B,) int64 of the samples, for the choice of new entries.
        """
        if self.codebook_average is not None:
            vectors = quantized.latents.detach().flatten(0, -2)
            priorities = _priorities(seeds, len(vectors))
            self.codebook_average.observe(vectors, quantized.codes.flatten(), priorities)

    def start_average(self) -> None:
        """Lets a codebook of averages go on from the entries as they are, each with an even share."""
        if self.codebook_average is not None:
            self.codebook_average.start(self.quantizer)

    def follow(self, step: StepInfo) -> None:
        """Moves a codebook of averages, after an update."""
        if self.codebook_average is not None:
            self.codebook_average.update(self.quantizer, step.mean_across_ranks, step.gather_across_ranks)


def _priorities(seeds: Tensor, vectors: int) -> Tensor:
    """Random numbers (vectors,) in [0, 1), each sample's from its own seed."""
    generator = torch.Generator()
    drawn = [
        torch.rand(vectors // len(seeds), generator=generator.manual_seed(seed)) for seed in seeds.tolist()
    ]
    return torch.cat(drawn)


Prefixes = tuple[tuple[str, str], ...]

CONVOLUTIONAL: Prefixes = (
    ("quantize.embedding.weight", "quantizer.codebook"),
    ("quant_conv.", "to_latents."),
    ("post_quant_conv.", "from_latents."),
    ("encoder.", "encoder."),
)
"""The parts of both: their prefix first, ours second."""


def to_our_names(state: Mapping[str, Tensor], prefixes: Prefixes) -> dict[str, Tensor]:
    """Renames published weights; names without a known prefix stay, so that a check finds them."""
    renamed = {}
    for name, value in state.items():
        theirs, ours = next((pair for pair in prefixes if name.startswith(pair[0])), ("", ""))
        renamed[ours + our_path(name.removeprefix(theirs)) if theirs else name] = value
    return renamed


def to_original_names(state: Mapping[str, Tensor], prefixes: Prefixes) -> dict[str, Tensor]:
    """The inverse of :func:`to_our_names`; tensors without a known prefix are left out."""
    renamed = {}
    for name, value in state.items():
        for theirs, ours in prefixes:
            if name.startswith(ours):
                renamed[theirs + original_path(name.removeprefix(ours), theirs)] = value
                break
    return renamed
