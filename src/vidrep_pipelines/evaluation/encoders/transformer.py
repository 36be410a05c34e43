"""Patch features of any vision transformer that keeps its positions in ``pos_embed``."""

from math import isqrt

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from vidrep_pipelines.common.arrays import Triple
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.compat import timm
from vidrep_pipelines.evaluation.encoders.config import IMAGENET_MEAN, IMAGENET_STD, PositionRule
from vidrep_pipelines.evaluation.encoders.protocol import grid_of

_OFFSET = 0.1
"""DINO adds it to the grid so that rounding never loses a row; it shifts all coordinates a little."""


def resample_positions(
    table: Tensor, grid: tuple[int, int], prefix: int = 1, rule: PositionRule = "dino"
) -> Tensor:
    """Resamples a table made for a square grid.

    Args:
        table: (1, prefix + N * N, E).
        grid: Rows and columns wanted.
        prefix: Entries that belong to no patch (CLS, registers); they stay as they are.
        rule: ``dino`` as published (Caron et al. 2021, arXiv 2104.14294), or ``timm``.

    Returns:
        (1, prefix + rows * columns, E); the table itself if its grid is the wanted one.

    Raises:
        InputError: The table is not that of a square grid.
    """
    side = isqrt(table.shape[1] - prefix)
    if side**2 != table.shape[1] - prefix:
        raise InputError(
            f"A position table of {table.shape[1] - prefix} patches belongs to no square grid, so it cannot "
            "be resampled. Remedy: use an encoder that was trained on square images."
        )
    if grid == (side, side):
        return table
    if rule == "timm":
        resampled: Tensor = timm.layers.resample_abs_pos_embed(
            table, new_size=list(grid), num_prefix_tokens=prefix
        )
        return resampled
    patches = table[:, prefix:].transpose(1, 2).reshape(1, -1, side, side).float()
    scale = ((grid[0] + _OFFSET) / side, (grid[1] + _OFFSET) / side)
    # The scale itself, not the ratio of the sizes, maps the coordinates.
    resized = F.interpolate(patches, scale_factor=scale, mode="bicubic")
    tokens = resized.flatten(2).transpose(1, 2).to(table.dtype)
    return torch.cat([table[:, :prefix], tokens], dim=1)


class TransformerEncoder(nn.Module):
    """Tokens after the final norm, without those that belong to no patch, as a grid.

    The transformer's weights are used as they are, so that it sees what training does to them; only its check
    of the image size is turned off.

    Args:
        name: How reports call the encoder.
        transformer: Images (B, 3, H, W) to tokens (B, prefix + L, D) after the final norm, with a position
            table ``pos_embed`` (1, prefix + N * N, D) and timm's ``patch_embed``: the encoder in
            ``models.layers`` or a ViT of timm's without head and pooling.
        stride: Side of a patch in pixels.
        prefix: Tokens before those of the patches.
        table_prefix: Entries of the position table before those of the patches. None: as many as ``prefix``.
        positions: How the table is resampled to another grid.
        mean: What was subtracted from red, green and blue (0 to 1) in its training.
        std: What they were divided by.
    """

    def __init__(
        self,
        name: str,
        transformer: nn.Module,
        *,
        stride: int,
        prefix: int = 1,
        table_prefix: int | None = None,
        positions: PositionRule = "dino",
        mean: Triple = IMAGENET_MEAN,
        std: Triple = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.name, self.stride, self.mean, self.std = name, stride, mean, std
        self.transformer = transformer
        self.transformer.get_submodule("patch_embed").strict_img_size = False  # type: ignore[assignment]
        self._prefix, self._rule = prefix, positions
        self._table_prefix = prefix if table_prefix is None else table_prefix

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """The position table (1, prefix + L, D) for a grid of some rows and columns."""
        table = self.transformer.pos_embed
        assert isinstance(table, Tensor)
        return resample_positions(table, grid, self._table_prefix, self._rule)

    @torch.no_grad()
    def patch_features(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W) to features (B, D, H / stride, W / stride).

        Raises:
            InputError: H or W is not a multiple of the stride.
        """
        patches = self._tokens(images)[:, self._prefix :].transpose(1, 2)
        return patches.reshape(*patches.shape[:2], *grid_of(images, self.stride))

    @torch.no_grad()
    def class_features(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W) to the first token (B, D), or the mean of all where there is none.

        Raises:
            InputError: H or W is not a multiple of the stride.
        """
        tokens = self._tokens(images)
        return tokens[:, 0] if self._prefix else tokens.mean(dim=1)

    def _tokens(self, images: Tensor) -> Tensor:
        grid = grid_of(images, self.stride)
        tokens: Tensor = functional_call(self.transformer, {"pos_embed": self.positions(grid)}, (images,))
        return tokens
