"""Trained tokenizers at use: what the others ask of one, frames to codes, codes to token episodes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from torch import Tensor, nn

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.digest import digest_of, digest_of_file
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.codes import CodeStore, code_shard
from vidrep_pipelines.data.frame_store.contiguous import StoredRows
from vidrep_pipelines.data.frame_store.film_frames import open_frames
from vidrep_pipelines.data.frame_store.shard import SHARD_SUFFIX
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.fanout.devices import device_of_item
from vidrep_pipelines.models.shared.code_counts import code_counts, perplexity, used_share
from vidrep_pipelines.models.shared.trained import load_strictly, loaded_once
from vidrep_pipelines.models.shared.units import to_unit_range
from vidrep_pipelines.models.shared.weight_file import read_weights
from vidrep_pipelines.models.voc.config import TokenizerName
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig
from vidrep_pipelines.models.voc.tokenizers.convolutional import ConvolutionalTokenizer
from vidrep_pipelines.models.voc.tokenizers.dataset import prepare_frames
from vidrep_pipelines.models.voc.tokenizers.dino import checkpoint_io as vqkd_io
from vidrep_pipelines.models.voc.tokenizers.dino.config import VqkdConfig
from vidrep_pipelines.models.voc.tokenizers.dino.model import VqkdTokenizer
from vidrep_pipelines.models.voc.tokenizers.musik import checkpoint_io as musik_io
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer
from vidrep_pipelines.models.voc.tokenizers.vae import checkpoint_io as vae_io
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer


class Tokenizer(Protocol):
    """Turns frames into codes, one by one.

    A module: it has a device, a mode and a state dict.
    """

    @property
    def pixels(self) -> PixelConfig:
        """How frames are prepared for it."""

    @property
    def vocabulary(self) -> int:
        """Number of codes K."""

    @property
    def grid(self) -> int:
        """Codes along one side of a frame; a frame is ``grid * grid`` tokens, row by row."""

    @property
    def codebook(self) -> Tensor:
        """(K, D) what the codes stand for: the features of the reward head."""

    def encode(self, images: Tensor) -> Tensor:
        """Prepared pictures (N, 3, S, S) to codes (N, grid, grid) int64."""


@runtime_checkable
class DecodingTokenizer(Tokenizer, Protocol):
    """A tokenizer with a way back."""

    def decode_codes(self, codes: Tensor) -> Tensor:
        """Codes (N, grid, grid) to pictures (N, 3, S, S) in the units of ``pixels``."""


@torch.no_grad()
def tokenize(tokenizer: Tokenizer, frames: Tensor) -> Tensor:
    """Frames (N, 3, H, W) uint8 to codes (N, grid, grid) int64, without shift and without autograd.

    The result is on the device of the tokenizer.

    Raises:
        InputError: The frames are not square.
    """
    return tokenizer.encode(prepare_frames(frames.to(tokenizer.codebook.device), tokenizer.pixels))


@torch.no_grad()
def depict(tokenizer: DecodingTokenizer, codes: Tensor) -> Tensor:
    """Codes (N, grid, grid) to pictures (N, 3, S, S) float32 in 0..1."""
    pictures = tokenizer.decode_codes(codes.to(tokenizer.codebook.device))
    return to_unit_range(pictures, tokenizer.pixels).clamp(0, 1)


class TokenizerMaps(nn.Module):
    """What a tokenizer sees of pictures before it quantizes, as maps of one cell per ``stride`` pixels.

    ``vae`` and ``musik`` are convolutional and take pictures of any size; ``dino`` is a transformer for one.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.tokenizer, self.stride = tokenizer, tokenizer.pixels.size // tokenizer.grid

    def forward(self, images: Tensor) -> Tensor:
        """Prepared pictures (N, 3, H, W) to latents (N, D, H / stride, W / stride)."""
        if isinstance(self.tokenizer, VqkdTokenizer):
            return self.tokenizer.latents(images).movedim(-1, 1)
        assert isinstance(self.tokenizer, ConvolutionalTokenizer)
        latents: Tensor = self.tokenizer.to_latents(self.tokenizer.encoder(images))
        return latents


_MODELS: dict[str, tuple[type[FrozenConfig], Any, Any]] = {
    "vae": (VaeConfig, VaeTokenizer, vae_io),
    "dino": (VqkdConfig, VqkdTokenizer, vqkd_io),
    "musik": (MusikConfig, MusikTokenizer, musik_io),
}


class TokenizerSource(FrozenConfig):
    """A tokenizer as a file of weights and its sizes."""

    kind: TokenizerName
    """The kind of tokenizer."""

    weights: Path
    """A checkpoint of the catalog (``model.safetensors``), or a file in the published layout."""

    layout: Literal["ours", "published"] = "ours"
    """What the file's tensors are called."""

    model: dict[str, Any] = Field(default_factory=dict)
    """Fields of ``VaeConfig``, ``VqkdConfig`` or ``MusikConfig``."""

    @property
    def digest(self) -> str:
        """Digest of the weights, the layout and the sizes; the path does not count.

        Raises:
            InputError: The file cannot be read.
        """
        try:
            return digest_of(digest_of_file(self.weights), self.kind, self.layout, self.config())
        except OSError as error:
            raise InputError(
                f"There is no tokenizer at {self.weights} ({error.strerror}). Remedy: train it first, or "
                "correct the path."
            ) from error

    def config(self) -> FrozenConfig:
        """The sizes.

        Raises:
            ConfigurationError: The fields do not fit.
        """
        try:
            return _MODELS[self.kind][0].model_validate(self.model)
        except ValidationError as error:
            raise ConfigurationError(
                f"The fields of the tokenizer {self.kind} do not fit: {error}"
            ) from error

    def load(self, device: torch.device | str = "cpu") -> Tokenizer:
        """The tokenizer in evaluation mode.

        Raises:
            InputError: The file is absent, damaged, or of another architecture.
            ConfigurationError: The fields do not fit.
        """
        _, build, layout = _MODELS[self.kind]
        model: nn.Module = build(self.config())
        if self.layout == "published":
            layout.load_into(model, layout.load_original(self.weights), str(self.weights))
        else:
            load_strictly(model, read_weights(self.weights), str(self.weights))
        return cast(Tokenizer, model.to(device).eval().requires_grad_(requires_grad=False))


def checkpoint_source(config: Mapping[str, Any], weights: Path) -> TokenizerSource:
    """The tokenizer of a checkpoint that a pipeline published.

    Args:
        config: The checkpoint's configuration: ``kind`` and ``model``.
        weights: Its ``model.safetensors``.

    Raises:
        InputError: It is the checkpoint of something else.
    """
    try:
        return TokenizerSource.model_validate({**config, "weights": weights})
    except ValidationError as error:
        raise InputError(
            f"{weights.parent} holds no tokenizer. Remedy: run pretrain_voc_tokenizer_vae, _dino or _musik."
        ) from error


def _load_described(source: str, device: str) -> Tokenizer:
    """The tokenizer of a source given as JSON."""
    return TokenizerSource.model_validate_json(source).load(device)


_EXTRACTION = 1
"""Version of what equal frames and weights lead to: raised when codes change."""


@dataclass(frozen=True)
class TokenExtractionRequest:
    """What encoding one shard needs.

    Attributes:
        id: Path of the shard below the store, without suffix.
        path: The shard of frames.
        version: Digest of the shard of frames.
        tokenizer: Source of the tokenizer, as JSON.
        tokenizer_digest: Digest of its weights and sizes.
        batch: Frames that are encoded at once.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.
        number: The shard's number; it deals shards to GPUs.
    """

    id: str
    path: Path
    version: str
    tokenizer: str
    tokenizer_digest: str
    batch: int = 32
    device: str = "cpu"
    number: int = 0

    @property
    def digest(self) -> str:
        """Changes with frames and tokenizer, and not with batch and device."""
        return digest_of(_EXTRACTION, self.version, self.tokenizer_digest)


def extraction_requests(
    store: FrameStore, source: TokenizerSource, *, batch: int = 32, device: str = "cpu"
) -> list[TokenExtractionRequest]:
    """What to encode, one request per shard.

    Raises:
        InputError: The tokenizer's file cannot be read.
        ConfigurationError: Its sizes do not fit.
    """
    tokenizer, digest = source.model_dump_json(), source.digest
    return [
        TokenExtractionRequest(
            id=file.removesuffix(SHARD_SUFFIX),
            path=store.folder / file,
            version=version,
            tokenizer=tokenizer,
            tokenizer_digest=digest,
            batch=batch,
            device=device,
            number=number,
        )
        for number, (file, version) in enumerate(store.facts.shards.items())
    ]


def extract_tokens(request: TokenExtractionRequest, outputs: Mapping[str, Path]) -> dict[str, int | float]:
    """Encodes the frames of a shard, without shift and without autograd.

    Args:
        request: The shard.
        outputs: Where the codes (".h5") go.

    Returns:
        One row: frames, codebook_use (share of the codes that occur), perplexity.

    Raises:
        InputError: Frames or tokenizer cannot be read or do not fit together.
    """
    device = device_of_item(request.device, request.number)
    tokenizer = loaded_once(_load_described, request.tokenizer, request.tokenizer_digest, device)
    frames, grid = open_frames(request.path), (tokenizer.grid, tokenizer.grid)
    counts = torch.zeros(tokenizer.vocabulary, dtype=torch.float64)
    try:
        rows = frames.shape[0]
        with code_shard(outputs[SHARD_SUFFIX], rows, grid, request.version) as writer:
            for codes in encoded_batches(tokenizer, frames, request.batch):
                writer.append(codes)
                counts += code_counts(torch.from_numpy(codes), tokenizer.vocabulary)
    finally:
        frames.close()
    return {
        "frames": rows,
        "codebook_use": float(used_share(counts)),
        "perplexity": float(perplexity(counts)),
    }


def encoded_batches(tokenizer: Tokenizer, frames: StoredRows, batch: int) -> Iterator[NDArray[np.int64]]:
    """Yields codes (n, h, h) of frames (N, H, W, 3), ``batch`` frames at a time."""
    for start in range(0, frames.shape[0], batch):
        pictures = torch.from_numpy(frames.read(start, min(start + batch, frames.shape[0])))
        yield tokenize(tokenizer, pictures.permute(0, 3, 1, 2)).cpu().numpy()


def assemble_token_episodes(store: CodeStore, tokenizer: Tokenizer) -> TokenEpisodes:
    """Joins the codes of all views with their actions, rewards and discounts.

    Args:
        store: Codes of the views, each of which is an episode.
        tokenizer: What made them.

    Raises:
        InputError: An episode has no rewards, or actions for some frames only; a code is not in the
            vocabulary; a number is not finite. The message names the episode.
    """
    frames = store.store
    splits = dict(zip(frames.table["id"].tolist(), frames.table["split"].tolist(), strict=True))
    views = list(frames.ids)
    codes = [store.codes(view).reshape(frames.length(view), -1) for view in views]
    outcomes = [_after_start(frames.outcomes(view), view, frames.length(view), "rewards") for view in views]
    actions = [_after_start(frames.actions(view), view, frames.length(view), "actions") for view in views]
    for rows in outcomes:
        rows[0, 1] = 1.0
    joined = np.concatenate(outcomes)
    return TokenEpisodes(
        codes=np.concatenate(codes),
        actions=np.concatenate(actions),
        rewards=joined[:, 0].copy(),
        discounts=joined[:, 1].copy(),
        offsets=np.cumsum([0, *(len(rows) for rows in codes)], dtype=np.int64),
        names=tuple(views),
        splits=tuple(splits[view] for view in views),
        grid=(tokenizer.grid, tokenizer.grid),
        vocabulary=tokenizer.vocabulary,
        codebook=tokenizer.codebook.detach().float().cpu().numpy(),
    )


def _after_start(rows: NDArray[np.float32], view: str, frames: int, what: str) -> NDArray[np.float32]:
    """(T - 1, A) between frames to (T, A), with zeros at the first frame."""
    if len(rows) != frames - 1:
        raise InputError(
            f"{view} has {frames} frames and {len(rows)} {what}, one less than frames is needed. Remedy: "
            f"a source that knows {what}: ingest_dmc, a replay buffer, or the sample world's agent."
        )
    start = np.zeros((1, rows.shape[1]), np.float32)
    return np.concatenate([start, rows])
