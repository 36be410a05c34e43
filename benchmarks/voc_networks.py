"""The occupancy GPT that VOC benchmarks run, at the published size, in both layouts."""

import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.peers import Peer, check_equal
from benchmarks.reference.voc_published import TOP_K, Weights, published_logits
from benchmarks.timing import Work
from vidrep_pipelines.compat import ensure_torchvision
from vidrep_pipelines.models.voc.checkpoint_io import to_original
from vidrep_pipelines.models.voc.config import VocPreset
from vidrep_pipelines.models.voc.gpt import Gpt

GREATER_PART = (
    "the time goes into products of large matrices with a row or two, and into the steps between them, where "
    "one fewer counts; ours draws every token by a given number, the same whatever else is in the batch, "
    "which neither library offers"
)
INTEGERS = (
    "weights of one byte are read in a quarter of the time; ours keeps the published precision, since values "
    "are estimated from the samples, and an option for integers has to show its error beside them first"
)


MOST_ERROR = 0.1
"""Root mean square of what integers change about the logits, over their standard deviation."""


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


def sampling_peers(networks: Networks, samples: int) -> list[Peer]:
    """Everything that samples states after the prompts."""
    return [
        transformers_peer(networks, samples, GREATER_PART),
        ctranslate2_peer(networks, samples, "float32", GREATER_PART),
        ctranslate2_peer(networks, samples, "int8", INTEGERS),
    ]


def transformers_peer(networks: Networks, samples: int, reason: str = "") -> Peer:
    """Samples of a state after each prompt by the library's own GPT-2 and its ``generate``.

    Args:
        networks: Weights and prompts.
        samples: States drawn after each prompt.
        reason: Why it is faster, if it is.
    """
    how = "GPT-2 of the same weights; `generate` with its cache, all samples in one call"
    return Peer("transformers", how, lambda: _generate(networks, samples), reason)


def ctranslate2_peer(networks: Networks, samples: int, precision: str, reason: str = "") -> Peer:
    """The same by CTranslate2.

    Args:
        networks: Weights and prompts.
        samples: States drawn after each prompt.
        precision: ``float32`` or ``int8``.
        reason: Why it is faster, if it is.
    """
    how = f"GPT-2 of the same weights in {precision}, all samples in one call"
    return Peer("ctranslate2", how, lambda: _translate(networks, samples, precision), reason)


def _translate(networks: Networks, samples: int, precision: str) -> Work:
    import ctranslate2  # noqa: PLC0415
    from tokenizers import Tokenizer, models  # noqa: PLC0415
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    model = _gpt2(networks)
    words = {str(number): number for number in range(model.config.vocab_size)}
    with tempfile.TemporaryDirectory() as name:
        model.save_pretrained(f"{name}/gpt2")
        tokenizer = Tokenizer(models.WordLevel(words, unk_token="0"))
        special = {"unk_token": "0", "bos_token": "0", "eos_token": "0"}  # asked for, but never used
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)  # type: ignore[no-untyped-call]
        fast.save_pretrained(f"{name}/gpt2")
        converter = ctranslate2.converters.TransformersConverter(f"{name}/gpt2")
        converter.convert(f"{name}/converted")
        generator = ctranslate2.Generator(
            f"{name}/converted", compute_type=precision, inter_threads=1, intra_threads=1
        )
    prompts = [[str(token) for token in prompt] for prompt in networks.prompts.tolist()]
    logits = np.array(generator.forward_batch(prompts, return_log_probs=False))
    expected = published_logits(networks.published, networks.heads, networks.prompts)[0]
    if precision == "float32":
        check_equal("CTranslate2", logits, expected, 1e-3, 1e-3)
    else:  # whose numbers are others, by a share of how they vary
        error = np.sqrt(np.mean((logits - expected.numpy()) ** 2)) / float(expected.std())
        check_equal(f"CTranslate2 in {precision}", error, 0, atol=MOST_ERROR)

    def work() -> list[list[int]]:
        results = generator.generate_batch(
            prompts,
            max_length=networks.tokens,
            min_length=networks.tokens,
            sampling_topk=TOP_K,
            num_hypotheses=samples,
            include_prompt_in_result=False,
        )
        return [tokens for result in results for tokens in result.sequences_ids]

    states = work()
    assert len(states) == len(prompts) * samples and {len(state) for state in states} == {networks.tokens}
    return work


def _gpt2(networks: Networks) -> Any:
    """The library's GPT-2 with the same weights."""
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
    return model


def _generate(networks: Networks, samples: int) -> Work:
    model, weights = _gpt2(networks), networks.published
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
