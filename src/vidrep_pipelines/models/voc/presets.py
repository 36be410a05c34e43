"""Parameters of an occupancy model as its tokens, or the released scripts, want them."""

from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.models.voc.config import (
    TokenizerName,
    VocModelConfig,
    VocObjectiveConfig,
    VocPreset,
)
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig

_DROPOUTS = ("residual_dropout", "embedding_dropout", "attention_dropout")


def with_preset(
    tokenizer: TokenizerName, model: VocModelConfig, objective: VocObjectiveConfig
) -> tuple[VocModelConfig, VocObjectiveConfig]:
    """Sets what the released script of a tokenizer does, and keeps sizes, frames of a state and gamma.

    With the parameters of ``conf/base`` the result is exactly the published one; with those of a small model
    it is the same objective in small.
    """
    published = VocPreset.published(tokenizer)
    dropouts = {name: getattr(published.model.gpt, name) for name in _DROPOUTS}
    gamma = {"gamma": objective.target.gamma}
    target = published.objective.target.model_copy(update=gamma)
    return (
        model.model_copy(update={"gpt": model.gpt.model_copy(update=dropouts)}),
        published.objective.model_copy(update={"target": target}),
    )


def fitted_to(episodes: TokenEpisodes, model: VocModelConfig) -> VocModelConfig:
    """The model with the vocabulary, the grid and the codebook dimension of the tokens.

    A model that is conditioned on actions has the size of theirs. Positions are added if a pair of states
    would not fit. On tokens without a codebook there is no reward head.
    """
    dimension = None if episodes.codebook is None else episodes.codebook.shape[1]
    if model.gpt.action_dimension is not None:
        gpt = model.gpt.model_copy(update={"action_dimension": episodes.actions.shape[1]})
        model = model.model_copy(update={"gpt": gpt})
    return _fitted(model, episodes.vocabulary, episodes.grid, dimension)


def fitted_to_tokenizer(tokenizer: VaeConfig, model: VocModelConfig) -> VocModelConfig:
    """The same for the tokens that a tokenizer makes."""
    side = tokenizer.pixels.size // tokenizer.network.downsampling
    return _fitted(model, tokenizer.codes.size, (side, side), tokenizer.codes.dimension)


def _fitted(
    model: VocModelConfig, vocabulary: int, grid: tuple[int, int], dimension: int | None
) -> VocModelConfig:
    reward = None
    if model.reward is not None and dimension is not None:
        reward = model.reward.model_copy(update={"codebook_dimension": dimension})
    positions = max(model.gpt.positions, 2 * model.frame_stack * grid[0] * grid[1])
    gpt = model.gpt.model_copy(update={"vocabulary": vocabulary, "positions": positions})
    return model.model_copy(update={"gpt": gpt, "grid": grid, "reward": reward})
