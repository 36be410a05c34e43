"""The occupancy GPT that VOC benchmarks run, at the published size, in both layouts."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.peers import Peer, check_equal
from benchmarks.reference.voc_published import TOP_K, Weights, published_logits
from benchmarks.timing import Work
from vidrep_pipelines.compat import ensure_torchvision
from vidrep_pipelines.models.voc.checkpoint_io import to_original
from vidrep_pipelines.models.voc.config import VocPreset
from vidrep_pipelines.models.voc.gpt import Gpt


@dataclass(frozen=True)
class Networks:
    """The same random weights for both sides."""

    gpt: Gpt
    published: Weights
    heads: int
    prompts: Tensor

    @property
    def tokens(self) -> int:
        """Tokens T of a state."""
        return self.prompts.shape[1]


def build_networks(batch: int) -> Networks:
    """The GPT over VAE tokens as it was trained, and prompts (batch, 75)."""
    config = VocPreset.published("vae").model
    torch.manual_seed(0)
    gpt = Gpt(config.gpt, config.state_tokens).eval()
    prompts = torch.randint(config.gpt.vocabulary, (batch, config.state_tokens))
    return Networks(gpt, to_original(gpt.state_dict()), config.gpt.heads, prompts)


def transformers_peer(networks: Networks, samples: int, reason: str = "") -> Peer:
    """Samples of a state after each prompt by the library's own GPT-2 and its ``generate``.

    Args:
        networks: Weights and prompts.
        samples: States drawn after each prompt.
        reason: Why it is faster, if it is.
    """
    how = "GPT-2 of the same weights; `generate` with its cache, all samples in one call"
    return Peer("transformers", how, lambda: _generate(networks, samples), reason)


def _generate(networks: Networks, samples: int) -> Work:
    ensure_torchvision()
    from transformers import GPT2Config, GPT2LMHeadModel  # noqa: PLC0415

    weights = networks.published
    vocabulary, width = weights["transformer.wte.weight"].shape
    config = GPT2Config(
        vocab_size=vocabulary,
        n_positions=len(weights["transformer.wpe.weight"]),
        n_embd=width,
        n_layer=sum(name.endswith("attn.c_attn.bias") for name in weights),
        n_head=networks.heads,
        bos_token_id=None,
        eos_token_id=None,
    )
    model: Any = GPT2LMHeadModel(config)
    model.eval()
    model.load_state_dict(weights)
    with torch.no_grad():
        logits = model(networks.prompts).logits
    check_equal(
        "transformers", logits, published_logits(weights, networks.heads, networks.prompts)[0], 1e-3, 1e-3
    )

    def work() -> Tensor:
        states: Tensor = model.generate(
            networks.prompts,
            attention_mask=torch.ones_like(networks.prompts),
            do_sample=True,
            top_k=TOP_K,
            min_new_tokens=networks.tokens,
            max_new_tokens=networks.tokens,
            num_return_sequences=samples,
            pad_token_id=0,
        )
        return states

    assert work().shape == (len(networks.prompts) * samples, 2 * networks.tokens)
    return work
