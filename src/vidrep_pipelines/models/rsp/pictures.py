"""What RSP sees and predicts, as pictures for people."""

import math

import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

from vidrep_pipelines.data.transforms import denormalize
from vidrep_pipelines.models.layers.tokens import random_masking, unpatchify
from vidrep_pipelines.models.rsp.config import RspObjectiveConfig
from vidrep_pipelines.models.rsp.futures import (
    PRIOR_SAMPLES,
    FutureErrors,
    PredictedFutures,
    future_errors,
    predicted_futures,
    rebuilt_in_pixels,
    with_contrast_of,
)
from vidrep_pipelines.models.rsp.model import RspModel
from vidrep_pipelines.models.rsp.objective import draw_randomness
from vidrep_pipelines.models.shared.units import channels_last
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

COLUMNS = (
    "source",
    "target",
    "posterior",
    *(f"prior {number + 1}" for number in range(PRIOR_SAMPLES)),
    "masked",
    "reconstruction",
)
BORROWED = "posterior, contrast of the target"
"""Title of the column that a model of normalized patches has besides."""
_SMALLEST_TILE = 128


def prediction_sheet(
    model: RspModel, source: Tensor, target: Tensor, config: RspObjectiveConfig, seeds: Tensor
) -> Image.Image:
    """Draws one row per example: source, target, predictions, masked input, reconstruction.

    Nothing in a prediction comes from the target, except in the column ``BORROWED`` of models of normalized
    patches, whose title says what does. Under the pictures stand the errors of the predictions, and under the
    source that of taking it for the target: the floor. The reconstruction shows visible patches as they are.

    Args:
        model: The model, on the device of the frames.
        source: (B, 3, H, W) normalized pixels.
        target: (B, 3, H, W) normalized pixels.
        config: The objective, for the mask ratio, the noise and the kind of patch targets.
        seeds: (B,) int64; the same seeds give the same picture.
    """
    futures = predicted_futures(model, source, target, config, seeds)
    columns = prediction_columns(model, source, target, config, seeds, futures)
    pixels = [channels_last(denormalize(column)) for column in columns]
    captions = _captions(future_errors(futures, source, target))
    rows = [
        ImageRow(images, captions=texts)
        for images, texts in zip(zip(*pixels, strict=True), captions, strict=True)
    ]
    titles = (*COLUMNS, BORROWED) if config.normalize_patches else COLUMNS
    return image_grid(rows, titles=titles, cell_height=max(_SMALLEST_TILE, target.shape[-2]))


def _captions(errors: FutureErrors) -> list[tuple[str, ...]]:
    """What stands under the first pictures of each row, in gray levels of 255."""
    grays = 255 * torch.stack([errors.copied, errors.posterior, errors.prior, errors.moving], dim=1)
    captions: list[tuple[str, ...]] = []
    for (copied, posterior, prior, moving), kl in zip(grays.tolist(), errors.kl.tolist(), strict=True):
        apart = "nothing moves" if math.isnan(moving) else f"apart {moving:.1f} where it moves"
        floor, known = f"error {copied:.1f}", f"error {posterior:.1f}"
        captions.append((floor, f"KL {kl:.2g} nats", known, f"error {prior:.1f}", apart))
    return captions


@torch.no_grad()
def prediction_columns(
    model: RspModel,
    source: Tensor,
    target: Tensor,
    config: RspObjectiveConfig,
    seeds: Tensor,
    futures: PredictedFutures | None = None,
) -> list[Tensor]:
    """The columns of the sheet in the order of ``COLUMNS``, each (B, 3, H, W) in normalized pixels.

    With normalized patches ``BORROWED`` follows. ``futures`` are those of the same arguments, if at hand.
    """
    futures = futures or predicted_futures(model, source, target, config, seeds)
    draws = draw_randomness(seeds, model.config, source.device)
    masking = random_masking(draws.mask_noise, config.mask_ratio)
    prediction = model.reconstruct(model.encoder(target, masking.keep), masking.keep)
    rebuilt = rebuilt_in_pixels(model, prediction, target, masking.keep, config)
    patches = masking.mask.unsqueeze(-1).expand(-1, -1, model.config.patch_values)
    removed = unpatchify(patches, model.config.patch_size, model.config.channels)
    masked = target * (1 - removed)  # zero is the mean color
    columns = [source, target, futures.posterior, *futures.priors.unbind(1), masked]
    columns.append(masked + rebuilt * removed)
    if config.normalize_patches:
        columns.append(with_contrast_of(model, futures.posterior, source, target))
    return columns


@torch.no_grad()
def attention_maps(model: RspModel, images: Tensor) -> Tensor:
    """How much the CLS token attends to each patch in the encoder's last block.

    Args:
        model: The model, on the device of the images.
        images: (B, 3, H, W) normalized pixels.

    Returns:
        (B, heads, h, w) weights; the sum over a map is below 1, the rest goes to the CLS token itself.
    """
    recorded: list[Tensor] = []
    projection = model.encoder.blocks[-1].get_submodule("attn.qkv")
    hook = projection.register_forward_hook(lambda _layer, _inputs, output: recorded.append(output))
    try:
        model.encoder(images)
    finally:
        hook.remove()
    heads, grid = model.config.heads, model.config.grid
    query, key, _ = rearrange(
        recorded[0].float(), "b n (part heads d) -> part b n heads d", part=3, heads=heads
    )
    scores = torch.einsum("bhd,bnhd->bhn", query[:, 0], key) / query.shape[-1] ** 0.5
    weights: Tensor = scores.softmax(dim=-1)[..., 1:]
    return rearrange(weights, "b heads (h w) -> b heads h w", h=grid, w=grid)
