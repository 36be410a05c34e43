"""What RSP sees and predicts, as pictures for people."""

import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

from vidrep_pipelines.data.transforms import denormalize
from vidrep_pipelines.models.layers.tokens import denormalize_patches, patchify, random_masking, unpatchify
from vidrep_pipelines.models.rsp.config import RspObjectiveConfig
from vidrep_pipelines.models.rsp.model import RspModel
from vidrep_pipelines.models.rsp.objective import draw_randomness
from vidrep_pipelines.models.shared.units import channels_last
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

PRIOR_SAMPLES = 3
COLUMNS = (
    "source",
    "target",
    "posterior",
    *(f"prior {number + 1}" for number in range(PRIOR_SAMPLES)),
    "masked",
    "reconstruction",
)
_SMALLEST_TILE = 128


def prediction_sheet(
    model: RspModel, source: Tensor, target: Tensor, config: RspObjectiveConfig, seeds: Tensor
) -> Image.Image:
    """Draws one row per example: source, target, predictions, masked input, reconstruction.

    Predicted patches are given the target's mean and contrast back when the model was trained on normalized
    patches. The reconstruction shows visible patches as they are.

    Args:
        model: The model, on the device of the frames.
        source: (B, 3, H, W) normalized pixels.
        target: (B, 3, H, W) normalized pixels.
        config: The objective, for the mask ratio, the noise and the kind of patch targets.
        seeds: (B,) int64; the same seeds give the same picture.
    """
    columns = prediction_columns(model, source, target, config, seeds)
    pixels = [channels_last(denormalize(column)) for column in columns]
    rows = [ImageRow(images) for images in zip(*pixels, strict=True)]
    return image_grid(rows, titles=COLUMNS, cell_height=max(_SMALLEST_TILE, target.shape[-2]))


@torch.no_grad()
def prediction_columns(
    model: RspModel, source: Tensor, target: Tensor, config: RspObjectiveConfig, seeds: Tensor
) -> list[Tensor]:
    """The columns of the sheet in the order of ``COLUMNS``, each (B, 3, H, W) in normalized pixels."""
    draws = draw_randomness(seeds, model.config, source.device)
    patches = patchify(target, model.config.patch_size)

    def image(prediction: Tensor) -> Tensor:
        prediction = prediction.float()
        if config.normalize_patches:
            prediction = denormalize_patches(prediction, patches)
        return unpatchify(prediction, model.config.patch_size, model.config.channels)

    source_tokens = model.encoder(source)
    target_tokens = model.encoder(target + config.noise_scale * draws.target_noise)
    posterior = model.posterior(source_tokens, target_tokens)
    sample = model.latent.sample(posterior, draws.posterior_noise)
    futures = [model.predict_future(source_tokens, sample)]
    for number in range(PRIOR_SAMPLES):
        noise = draw_randomness(seeds + number, model.config, source.device).prior_noise
        sample = model.latent.sample(model.prior(source_tokens), noise)
        futures.append(model.predict_future(source_tokens, sample))
    masking = random_masking(draws.mask_noise, config.mask_ratio)
    rebuilt = image(model.reconstruct(model.encoder(target, masking.keep), masking.keep))
    removed = unpatchify(
        masking.mask.unsqueeze(-1).expand_as(patches), model.config.patch_size, model.config.channels
    )
    masked = target * (1 - removed)  # zero is the mean color
    return [source, target, *(image(future) for future in futures), masked, masked + rebuilt * removed]


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
