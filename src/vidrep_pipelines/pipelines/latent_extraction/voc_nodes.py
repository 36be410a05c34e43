"""Nodes that turn the frames of episodes into tokens."""

from typing import TYPE_CHECKING, Any, Literal

from PIL.Image import Image
from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.codes import CodeStore
    from vidrep_pipelines.data.frame_store.store import FrameStore
    from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
else:
    CodeStore = FrameStore = TokenEpisodes = Any  # their modules take seconds to import


class TokenExtractionConfig(FrozenConfig):
    """How frames are encoded. Nothing here changes a code."""

    batch_size: int = Field(32, ge=1)
    """Frames that are encoded at once."""


class ReleasedLatentsConfig(FrozenConfig):
    """The codes that the authors publish, in place of extracting them."""

    folder: UserPath | None = None
    """Folder of ``<i>_<level>_vq_latents.hdf5`` (or ``_dino_``) files of one domain. None: there are none."""

    column: Literal["vae_latents", "dino_latents"] = "vae_latents"
    """Where the codes are in a file."""

    tokenizer: UserPath | None = None
    """The tokenizer that made them, in the published layout, for the vectors of the codes. None: there is no
    reward head, and there are no values."""

    vocabulary: int = Field(1024, ge=2, le=32768)
    """Codes of the tokenizer, where none is given."""

    validation: float = Field(0.05, ge=0, lt=1)
    """Share of the episodes that is held out; the original has none."""

    test: float = Field(0.05, ge=0, lt=1)
    """Share of the episodes that the model is scored on."""

    seed: int = 0
    """Seed of the choice of these."""


def read_released_latents(released: ReleasedLatentsConfig) -> TokenEpisodes:
    """The episodes of all published files, some of them held out."""
    from vidrep_pipelines.models.voc.tokenizers.released_latents import released_episodes

    shares = {"validation": released.validation, "test": released.test}
    return released_episodes(
        released.folder,
        released.column,
        tokenizer=released.tokenizer,
        vocabulary=released.vocabulary,
        shares=shares,
        seed=released.seed,
    )


def extract_voc_codes(
    checkpoint: Checkpoint,
    frames: FrameStore,
    extraction: TokenExtractionConfig,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per shard of frames; redone when the shard or the tokenizer changes."""
    from vidrep_pipelines.data.frame_store.shard import SHARD_SUFFIX
    from vidrep_pipelines.fanout.devices import workers_for_device
    from vidrep_pipelines.models.voc.tokenizers.inference import (
        checkpoint_source,
        extract_tokens,
        extraction_requests,
    )
    from vidrep_pipelines.training.distributed import choose_device

    device = choose_device(launch).type
    source = checkpoint_source(checkpoint.config, checkpoint.weights.absolute())
    requests = extraction_requests(frames, source, batch=extraction.batch_size, device=device)
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("codes", extract_tokens, items, (SHARD_SUFFIX,), workers_for_device(fanout, device))


def assemble_episodes(checkpoint: Checkpoint, codes: CodeStore) -> TokenEpisodes:
    """The codes of all episodes with their actions, rewards and the codebook."""
    from vidrep_pipelines.models.voc.tokenizers.inference import assemble_token_episodes, checkpoint_source

    return assemble_token_episodes(codes, checkpoint_source(checkpoint.config, checkpoint.weights).load())


def show_voc_codes(codes: CodeStore, checkpoint: Checkpoint) -> tuple[dict[str, Any], Image]:
    """How evenly the stored codes are used."""
    from vidrep_pipelines.models.shared.codes import code_histogram, count_stored_codes
    from vidrep_pipelines.models.voc.tokenizers.inference import checkpoint_source
    from vidrep_pipelines.models.voc.tokenizers.pictures import vocabulary_report

    tokenizer = checkpoint_source(checkpoint.config, checkpoint.weights).load()
    counts = count_stored_codes(codes, tokenizer.vocabulary)
    return vocabulary_report(counts, tokenizer), code_histogram(counts)
