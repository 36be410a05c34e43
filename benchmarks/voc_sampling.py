"""Sampling target states with a cache of keys and values, against reading everything again for each token."""

import time

import torch

from benchmarks.peers import compare, with_peer
from benchmarks.reference.voc_published import published_sample_uncached
from benchmarks.timing import Result
from benchmarks.voc_networks import build_networks, sampling_peers
from vidrep_pipelines.models.voc.sampling import sample_states

BATCH, ROUNDS = 2, 2
HOW = (
    f"CPU time of states of 75 tokens after {BATCH} contexts by the GPT over VAE tokens as trained "
    f"(4 layers, 768 wide), 50 likeliest tokens, float32, one thread, interleaved, medians of {ROUNDS} "
    "rounds; reference: no cache"
)


@torch.no_grad()
def run() -> dict[str, Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    networks = build_networks(BATCH)
    uniforms = torch.rand(BATCH, 1, networks.tokens, dtype=torch.float64)
    comparison = compare(
        lambda: sample_states(networks.gpt, networks.prompts, uniforms, top_k=50),
        lambda: published_sample_uncached(
            networks.published, networks.heads, networks.prompts, networks.tokens
        ),
        sampling_peers(networks, 1),
        ROUNDS,
        time.process_time,
    )
    medians = comparison.medians
    torch.set_num_threads(threads)
    result = Result(
        ratio=medians.ratio,
        ours=1000 * medians.ours / BATCH,
        reference=1000 * medians.reference / BATCH,
        unit="milliseconds per state",
        how=HOW,
    )
    return {"voc_sampling": with_peer(result, comparison.rivals)}
