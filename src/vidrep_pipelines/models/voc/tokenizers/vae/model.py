"""The tokenizer ``vae``: pictures to codes and back."""

from dataclasses import dataclass

from einops import rearrange
from torch import Tensor

from vidrep_pipelines.models.layers.vector_quantizer import Quantized
from vidrep_pipelines.models.layers.vqgan import FrameDecoder
from vidrep_pipelines.models.voc.tokenizers.convolutional import ConvolutionalTokenizer
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig


@dataclass(frozen=True)
class VaeOutputs:
    """Reconstruction (N, 3, S, S), in the input's units and unbounded, and what it was decoded from."""

    reconstruction: Tensor
    quantized: Quantized


class VaeTokenizer(ConvolutionalTokenizer):
    """VQGAN without its discriminator (Esser et al. 2021, "Taming Transformers").

    Args:
        config: The architecture.
    """

    def __init__(self, config: VaeConfig) -> None:
        super().__init__(config.network, config.codes, config.pixels)
        self.config = config
        self.decoder = FrameDecoder(config.network)

    def decode(self, entries: Tensor) -> Tensor:
        """Entries (N, D, h, h) to pictures (N, 3, S, S)."""
        pictures: Tensor = self.decoder(self.from_latents(entries))
        return pictures

    def decode_codes(self, codes: Tensor) -> Tensor:
        """Codes (N, h, h) to pictures (N, 3, S, S): to the bit what :meth:`forward` reconstructs."""
        return self.decode(rearrange(self.quantizer.lookup(codes), "n h w d -> n d h w"))

    def forward(self, images: Tensor) -> VaeOutputs:
        """Pictures (N, 3, S, S) through the codes and back."""
        quantized = self.quantize(self.latents(images))
        return VaeOutputs(self.decode(quantized.entries), quantized)
