import pytest

from tests.models.voc.tiny import CODE, GRID, VOCABULARY, make_config, make_episodes
from tests.models.voc.tokenizers.tiny import musik_config, vae_config, vqkd_config
from vidrep_pipelines.models.voc.config import (
    GptConfig,
    RewardConfig,
    TargetConfig,
    TokenizerName,
    VocModelConfig,
    VocObjectiveConfig,
    VocPreset,
)
from vidrep_pipelines.models.voc.presets import fitted_to, fitted_to_tokenizer, with_preset
from vidrep_pipelines.models.voc.tokenizers.config import QuantizationConfig
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.presets import published_musik, published_vae, published_vqkd
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeObjectiveConfig

KINDS: tuple[TokenizerName, ...] = ("vae", "dino", "musik")


@pytest.mark.parametrize("kind", KINDS)
def test_a_preset_brings_the_slips_and_leaves_sizes(kind: TokenizerName) -> None:
    ours = VocObjectiveConfig(target=TargetConfig(kind="n_step", steps=3, gamma=0.6), loss_on="target")
    model, objective = with_preset(kind, make_config(), ours)
    assert objective.target == TargetConfig(gamma=0.6, top_k=50, dropout=True)
    assert (objective.loss_on, objective.ema_decay) == ("all", 0.9)
    published = VocPreset.published(kind).model.gpt
    assert model.gpt.attention_dropout == published.attention_dropout == 0.1
    assert model.gpt.residual_dropout == published.residual_dropout
    assert (model.gpt.width, model.grid, model.frame_stack) == (16, GRID, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_model_stays_as_it_is(kind: TokenizerName) -> None:
    published = VocPreset.published(kind)
    assert with_preset(kind, published.model, VocObjectiveConfig()) == (published.model, published.objective)


def test_a_model_is_fitted_to_its_tokens() -> None:
    model = VocModelConfig(gpt=GptConfig(width=16, heads=2, positions=150), reward=RewardConfig(width=8))
    fitted = fitted_to(make_episodes(), model)
    assert (fitted.gpt.vocabulary, fitted.grid, fitted.gpt.positions) == (VOCABULARY, GRID, 150)
    assert fitted.reward is not None
    assert (fitted.reward.codebook_dimension, fitted.reward.width) == (CODE, 8)
    assert fitted_to(make_episodes(codebook=None), model).reward is None
    large = fitted_to_tokenizer(vae_config(), model)
    assert (large.gpt.vocabulary, large.grid, large.gpt.positions) == (16, (8, 8), 2 * 3 * 64)


def test_presets_of_the_tokenizers() -> None:
    legacy = QuantizationConfig(weighting="legacy")
    vae, vae_objective = published_vae(vae_config(), VaeObjectiveConfig())
    musik, musik_objective = published_musik(musik_config(), MusikObjectiveConfig(negatives=7))
    vqkd = published_vqkd(vqkd_config())
    for model in (vae, musik, vqkd):
        assert (model.pixels.resize, model.pixels.normalization) == ("nearest", "published")
        assert model.pixels.size == 16
    assert (vae_objective.quantization, vae_objective.perceptual_input) == (legacy, "normalized")
    assert (musik_objective.quantization, musik_objective.offsets_at_the_end) == (legacy, "published")
    assert musik_objective.negatives == 7 and vqkd.counting == "always"
