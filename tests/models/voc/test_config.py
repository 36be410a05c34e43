import pytest
import torch
from pydantic import ValidationError

from vidrep_pipelines.models.voc.config import (
    GptConfig,
    TargetConfig,
    TokenizerName,
    VocModelConfig,
    VocObjectiveConfig,
    VocPreset,
)
from vidrep_pipelines.models.voc.gpt import Gpt
from vidrep_pipelines.models.voc.model import RewardHead


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("tokenizer", "trained", "intended", "inputs"),
    [
        ("vae", 29_925_888, 13_659_136, 19_200),
        ("musik", 29_925_888, 13_659_136, 19_200),
        ("dino", 35_246_592, 1_942_272, 12_544),
    ],
)
def test_published_sizes(tokenizer: TokenizerName, trained: int, intended: int, inputs: int) -> None:
    for sizes, expected in (("trained", trained), ("intended", intended)):
        config = VocPreset.published(tokenizer, sizes=sizes).model  # type: ignore[arg-type]
        with torch.device("meta"):
            assert parameters(Gpt(config.gpt, config.state_tokens)) == expected
            head = RewardHead(config)
        assert next(head.parameters()).shape == (256, inputs)


def test_the_published_slips_are_options_and_not_the_default() -> None:
    published, default = VocPreset.published("vae").objective.target, VocObjectiveConfig().target
    assert (published.top_k, published.dropout) == (50, True)
    assert (default.top_k, default.dropout) == (None, False)
    assert published.kind == default.kind == "td"


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"twice the\s+75 tokens"):
        VocModelConfig(gpt=GptConfig(positions=149))
    with pytest.raises(ValidationError, match="no multiple of heads=3"):
        GptConfig(width=16, heads=3)
    with pytest.raises(ValidationError, match="kind: n_step"):
        TargetConfig(kind="geometric", steps=3)
    with pytest.raises(ValidationError, match="gamma"):
        TargetConfig(gamma=1.0)
