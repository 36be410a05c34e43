"""Nodes that turn frames into codes, and codes back into pictures."""

from typing import TYPE_CHECKING, Any

from PIL.Image import Image

from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.models.vqvae.config import LatentExtractionConfig
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.codes import CodeStore
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    CodeStore = FrameStore = Any  # their modules take seconds to import


def extract_vqvae_codes(
    checkpoint: Checkpoint,
    store: FrameStore,
    extraction: LatentExtractionConfig,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per shard of frames; redone when the shard, the weights or the parameters change."""
    from vidrep_pipelines.common.digest import digest_of, digest_of_file
    from vidrep_pipelines.data.frame_store.shard import SHARD_SUFFIX
    from vidrep_pipelines.fanout.devices import workers_for_device
    from vidrep_pipelines.models.vqvae.inference import code_extraction_requests, extract_shard
    from vidrep_pipelines.training.distributed import choose_device

    version = digest_of(digest_of_file(checkpoint.weights), checkpoint.config)
    device = choose_device(launch).type
    requests = code_extraction_requests(checkpoint.directory, version, store, extraction, device)
    items = [Item(request.id, request, request.digest) for request in requests]
    return Job("codes", extract_shard, items, (SHARD_SUFFIX,), workers_for_device(fanout, device))


def show_vqvae_codes(checkpoint: Checkpoint, codes: CodeStore) -> tuple[dict[str, Any], Image, Image]:
    """How evenly the stored codes are used, and clips decoded from nothing but their codes."""
    from vidrep_pipelines.models.shared.codes import code_histogram, count_stored_codes
    from vidrep_pipelines.models.vqvae.inference import TrainedVqvae
    from vidrep_pipelines.models.vqvae.pictures import codebook_report, decoded_strips

    trained = TrainedVqvae.load(checkpoint.directory)
    counts, config = count_stored_codes(codes, trained.model.quantizer.size), trained.model.config
    return codebook_report(counts, config), code_histogram(counts), decoded_strips(trained, codes)
