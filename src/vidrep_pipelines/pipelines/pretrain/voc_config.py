"""Parameters of the training runs of Video Occupancy Models that are not the models' own."""

from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.models.voc.config import TokenizerName


class VocTokenizerRunConfig(FrozenConfig):
    """Where a tokenizer comes from."""

    preset: Literal["published"] | None = None
    """``published``: units of pixels, resizing and the weights of losses as released, slips included, see
    :mod:`vidrep_pipelines.models.voc.tokenizers.presets`; sizes stay. None: the parameters as they are."""

    published: UserPath | None = None
    """A finished tokenizer in the published layout. It is used as it is and nothing is trained; its sizes are
    read off the file."""

    published_pixels: Literal["as_released", "of_model"] = "as_released"
    """Units of pixels and resizing of ``published``. ``as_released``: those that the released files need,
    which no file says; ``of_model``: those in ``model.pixels``, for a file that ``export_voc_...`` wrote."""

    initialize_from: UserPath | None = None
    """Weights in the published layout (taming-transformers, BEiT v2, MUSIK) to fine-tune, of the sizes in
    ``model``. None: random initialization."""


class VocRunConfig(FrozenConfig):
    """Which occupancy model is trained."""

    tokenizer: TokenizerName = "vae"
    """Whose tokens are modeled."""

    folder: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]+$")
    """Folder of the run below ``folders.models`` and ``folders.reporting``. None: ``voc_<tokenizer>``."""

    preset: Literal["published"] | None = None
    """``published``: targets, dropout and losses of the released scripts, every slip included, see
    :class:`~vidrep_pipelines.models.voc.config.VocPreset`; sizes, gamma and frames of a state stay. None: the
    parameters as they are."""

    fit_to_tokens: bool = True
    """Take vocabulary, grid and codebook dimension from the tokens, in place of the model's. False: the
    parameters must agree with the tokens, or the run stops."""

    initialize_from: UserPath | None = None
    """Weights of the GPT to start from, in the published layout."""

    initialize_reward_from: UserPath | None = None
    """Weights of the reward head to start from, in the published layout."""


class VocJointRunConfig(FrozenConfig):
    """How a tokenizer and an occupancy model are trained together."""

    preset: Literal["published"] | None = None
    """As in :class:`VocTokenizerRunConfig` and :class:`VocRunConfig`, for both."""

    initialize_from: UserPath | None = None
    """Weights of the tokenizer to start from, in the published layout. None: random initialization."""
