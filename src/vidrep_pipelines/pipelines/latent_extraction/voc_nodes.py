"""Nodes that turn the frames of episodes into tokens."""

from typing import TYPE_CHECKING, Any

from PIL.Image import Image
from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
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


def extract_codes(
    checkpoint: Checkpoint,
    frames: FrameStore,
    extraction: TokenExtractionConfig,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per shard of frames; redone when the shard or the tokenizer changes."""
    from vidrep_pipelines.data.frame_store.shard import SHARD_SUFFIX
    from vidrep_pipelines.models.voc.tokenizers.inference import (
        checkpoint_source,
        extract_codes,
        extraction_requests,
    )
    from vidrep_pipelines.training.distributed import choose_device

    device = choose_device(launch).type
    if device == "cuda" and fanout.workers is None:  # they share the GPU
        fanout = fanout.model_copy(update={"workers": 1})
    source = checkpoint_source(checkpoint.config, checkpoint.weights.absolute())
    requests = extraction_requests(frames, source, batch=extraction.batch_size, device=device)
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("codes", extract_codes, items, (SHARD_SUFFIX,), fanout)


def assemble_episodes(checkpoint: Checkpoint, codes: CodeStore) -> TokenEpisodes:
    """The codes of all episodes with their actions, rewards and the codebook."""
    from vidrep_pipelines.models.voc.tokenizers.inference import assemble_token_episodes, checkpoint_source

    return assemble_token_episodes(codes, checkpoint_source(checkpoint.config, checkpoint.weights).load())


def show_codes(codes: CodeStore, checkpoint: Checkpoint) -> tuple[dict[str, Any], Image]:
    """How evenly the stored codes are used."""
    from vidrep_pipelines.models.voc.tokenizers.inference import (
        checkpoint_source,
        code_report,
        count_stored_codes,
    )
    from vidrep_pipelines.models.voc.tokenizers.pictures import code_histogram

    tokenizer = checkpoint_source(checkpoint.config, checkpoint.weights).load()
    counts = count_stored_codes(codes, tokenizer.vocabulary)
    return code_report(counts, tokenizer), code_histogram(counts)
