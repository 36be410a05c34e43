"""What the masked autoencoder sees and fills in."""

import torch
from PIL.Image import Image
from torch import Tensor

from tests.architecture.mae_system.model import MaeModel
from vidrep_pipelines.data.transforms import denormalize, normalize
from vidrep_pipelines.models.layers.tokens import Masking, denormalize_patches, patchify, unpatchify
from vidrep_pipelines.models.shared.units import channels_last
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid


@torch.no_grad()
def masked_picture(model: MaeModel, frames: Tensor, masking: Masking) -> Image:
    """A row for each frame (N, 3, S, S) uint8: as it is, what is seen of it, and the rest filled in."""
    images, size = normalize(frames), model.config.patch_size
    patches, hidden = patchify(images, size), masking.mask[..., None]
    filled = denormalize_patches(model(images, masking.keep), patches)
    columns = [images, unpatchify(patches * (1 - hidden), size)]
    columns.append(unpatchify(patches * (1 - hidden) + filled * hidden, size))
    pixels = [channels_last(denormalize(column)) for column in columns]
    rows = [ImageRow(row) for row in zip(*pixels, strict=True)]
    return image_grid(rows, titles=("frame", "seen", "filled in"), cell_height=128)
