"""Value estimates: all samples of a context at once, against one call for each sample."""

import time

import torch

from benchmarks.peers import compare, with_peer
from benchmarks.reference.voc_published import published_value_samples
from benchmarks.timing import Result
from benchmarks.voc_networks import build_networks, sampling_peers
from vidrep_pipelines.models.voc.sampling import sample_states

BATCH, SAMPLES, ROUNDS = 2, 12, 2
HOW = (
    f"CPU time of {SAMPLES} states of 75 tokens after each of {BATCH} contexts by the GPT over VAE tokens "
    "as trained (4 layers, 768 wide), 50 likeliest tokens, float32, one thread, interleaved, medians of "
    f"{ROUNDS} rounds; reference: a cache too, but sample after sample"
)


@torch.no_grad()
def run() -> dict[str, Result]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    networks = build_networks(BATCH)
    uniforms = torch.rand(BATCH, SAMPLES, networks.tokens, dtype=torch.float64)
    comparison = compare(
        lambda: sample_states(networks.gpt, networks.prompts, uniforms, top_k=50),
        lambda: published_value_samples(
            networks.published, networks.heads, networks.prompts, networks.tokens, SAMPLES
        ),
        sampling_peers(networks, SAMPLES),
        ROUNDS,
        time.process_time,
    )
    medians = comparison.medians
    torch.set_num_threads(threads)
    states = BATCH * SAMPLES
    result = Result(
        ratio=medians.ratio,
        ours=1000 * medians.ours / states,
        reference=1000 * medians.reference / states,
        unit="milliseconds per state",
        how=HOW,
    )
    return {"voc_value_sampling": with_peer(result, comparison.rivals)}
