"""Sizes, loss and sampling of the policy on predictive features; defaults as published (arXiv 2412.14803)."""

from math import log
from typing import Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from vidrep_pipelines.common.config import FrozenConfig, UserPath

ScheduleName = Literal["exponential", "karras", "linear", "vp", "ve", "iddpm", "cosine_beta"]
"""How noise levels fall from step to step, see ``noise_schedules.py``."""

SamplerName = Literal[
    "ddim",
    "euler",
    "euler_ancestral",
    "heun",
    "dpm_2",
    "dpm_2_ancestral",
    "lms",
    "dpmpp_2m",
    "dpmpp_2s",
    "dpmpp_2s_ancestral",
    "dpmpp_sde",
    "dpm_fast",
]
"""How a chunk of actions is made from noise, see ``samplers.py``."""

DensityName = Literal[
    "log_logistic", "log_normal", "split_log_normal", "log_uniform", "uniform", "v_diffusion", "discrete"
]
"""How training draws noise levels, see ``noise_density.py``."""


class VideoFormerConfig(FrozenConfig):
    """What makes a few tokens of the features of all frames; the defaults are CALVIN's."""

    kind: Literal["3d", "2d", "linear", "flat"] = "3d"
    """``3d``: learned tokens attend to their frame, then over the frames. ``2d``: to their frame only.
    ``linear``: nothing is compressed, each feature is projected (the paper's ablation, 4.33 to 3.86).
    ``flat``, not published: tokens are a linear map of the principal components of all features of a moment.
    It needs ``places`` and ``components``, and learns in minutes what attention finds in hours: for small
    networks, cameras that stand still and features that were pooled."""

    features: int = Field(2560, gt=0)
    """C, channels of the features: 2560 of up-blocks 0 and 1 together, 1280 of block 1 alone."""

    frames: int = Field(16, ge=1)
    """F, frames that the features are of."""

    width: int = Field(384, gt=0)
    """d, channels of the tokens."""

    tokens: int = Field(224, ge=1)
    """Tokens of all frames together, the same number for each; ``linear`` has as many as features."""

    depth: int = Field(6, ge=1)
    """Layers."""

    heads: int = Field(8, ge=1)
    """Attention heads."""

    head_width: int = Field(64, ge=1)
    """Channels of a head where tokens attend to features; over frames it is ``width / heads``."""

    places: int | None = Field(None, ge=1)
    """N, places of all views, each with a learned encoding. None, as published: nothing says where in a
    picture a feature is but the feature itself. Those of a small network hardly know."""

    components: int | None = Field(None, ge=1)
    """K, of ``flat`` only: principal components of the training items' features, scaled to unit variance;
    fewer where there are fewer items. In most directions features hardly vary; learned from as they are, what
    these tell is learned last."""

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        """Frames share the tokens evenly, and heads the channels."""
        if self.kind != "linear" and self.tokens % self.frames:
            raise ValueError(f"tokens={self.tokens} is not a multiple of frames={self.frames}")
        if self.kind == "flat" and (self.places is None or self.components is None):
            raise ValueError("kind flat needs places, the number of places of all views, and components")
        if self.kind != "flat" and self.components is not None:
            raise ValueError(f"components are of kind flat, and kind is {self.kind}")
        if self.kind == "3d" and self.width % self.heads:
            raise ValueError(f"width={self.width} is not a multiple of heads={self.heads}")
        return self


class DenoiserConfig(FrozenConfig):
    """The diffusion transformer over a chunk of actions; the defaults are CALVIN's."""

    width: int = Field(384, ge=4, multiple_of=2)
    """D, channels of all tokens."""

    encoder_layers: int = Field(4, ge=1)
    """Layers over goal, video tokens and state, which depend on neither noise nor actions."""

    decoder_layers: int = Field(4, ge=1)
    """Layers over the noisy actions."""

    heads: int = Field(8, ge=1)
    """Attention heads."""

    attention_dropout: float = Field(0.3, ge=0, lt=1)
    """Dropout of attention weights."""

    residual_dropout: float = Field(0.1, ge=0, lt=1)
    """Dropout of what attention adds."""

    perceptron_dropout: float = Field(0.05, ge=0, lt=1)
    """Dropout of what perceptrons add."""

    chunk: int = Field(10, ge=1)
    """A, actions that are predicted at once. Published: 10 for CALVIN, 10 or 8 for xhand, 8 for xbot."""

    actions: int = Field(7, ge=1)
    """Numbers of an action: 7 for CALVIN, 18 for xhand, 38 for xbot."""

    goal: int = Field(512, ge=1)
    """G, numbers of a goal: CLIP's projected text embedding."""

    proprioception: int | None = Field(None, ge=1)
    """S, numbers of the robot's state. None: the policy does not see it, as published for CALVIN."""

    freeze_proprioception: bool = False
    """Leave the state's projection as it was drawn. So it was published for xbot and xhand, whose list of
    unused, frozen layers names it by mistake."""

    action_positions: bool = False
    """Whether each action of a chunk has a learned encoding of its place. None was published: there, the
    order shows only in how much each action may look at, so that ``cross_causal: false`` needs it."""

    cross_causal: bool = True
    """Action i sees the first i + 1 tokens of goal, video and state only. A mistake of the original that its
    checkpoints need: of 225 tokens, the first action sees the goal, the tenth ten. False: each sees all."""

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        """Heads share the channels, and nothing is frozen that is not there."""
        if self.width % self.heads:
            raise ValueError(f"width={self.width} is not a multiple of heads={self.heads}")
        if self.freeze_proprioception and self.proprioception is None:
            raise ValueError("freeze_proprioception: there is no proprioception to freeze; give its size")
        return self


class GoalConfig(FrozenConfig):
    """How an instruction becomes a goal, the one row of numbers that the policy is told."""

    kind: Literal["clip", "words"] = "clip"
    """``clip``: the projected output of CLIP's text model, frozen, as published. ``words``: which word of
    ``vocabulary`` stands at which place, for small worlds without a text model."""

    folder: UserPath | None = None
    """``clip`` only: a folder in transformers' layout with the text model, its projection and tokenizer."""

    tokens: int = Field(77, ge=2)
    """Length that instructions are padded or cut to; of ``words``, the most words of an instruction."""

    vocabulary: tuple[str, ...] = ()
    """``words`` only: the words, in lower case."""

    @model_validator(mode="after")
    def _check_words(self) -> Self:
        """There are words where words are needed, each once."""
        if self.kind == "words" and not self.vocabulary:
            raise ValueError("vocabulary: goals of kind words need the words that can be told")
        if len(set(self.vocabulary)) < len(self.vocabulary):
            raise ValueError("vocabulary: a word occurs twice")
        return self


class PolicyModelConfig(FrozenConfig):
    """Video Former and denoiser."""

    former: VideoFormerConfig = VideoFormerConfig()
    """What makes tokens of features."""

    denoiser: DenoiserConfig = DenoiserConfig()
    """What makes actions of noise."""

    sigma_data: float = Field(0.5, gt=0)
    """Standard deviation that actions are taken to have (arXiv 2206.00364, table 1)."""


class NoiseDensityConfig(FrozenConfig):
    """Which noise levels training draws."""

    kind: DensityName = "log_logistic"
    """The family. The original has the others too, most of which fail there for want of their settings."""

    location: float = log(0.5)
    """Of ``log_logistic``, ``log_normal`` and ``split_log_normal``: median of the level's logarithm (of the
    last, its mode)."""

    scale: float = Field(0.5, gt=0)
    """Of the same: its scale; of ``split_log_normal`` below the mode."""

    upper_scale: float = Field(0.5, gt=0)
    """Of ``split_log_normal``: its scale above the mode."""

    minimum: float = Field(0.001, gt=0)
    """The lowest level; ``log_normal`` and ``split_log_normal`` know no bounds, as published."""

    maximum: float = Field(80.0, gt=0)
    """The highest level; the same exceptions."""

    schedule: ScheduleName = "exponential"
    """Of ``discrete``: the levels that are drawn from, each as likely."""

    levels: int = Field(1000, ge=2)
    """Of ``discrete``: how many."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        """The bounds are in order."""
        if self.minimum >= self.maximum:
            raise ValueError(f"minimum={self.minimum} is not below maximum={self.maximum}")
        return self


class ActionPartConfig(FrozenConfig):
    """Some numbers of an action, measured and weighted together."""

    name: str = Field(min_length=1)
    """What to call it in the log."""

    ranges: tuple[tuple[int, int], ...] = Field(min_length=1)
    """First number and the one after the last; one range for each arm."""

    share: PositiveFloat
    """Factor of the mean square of each range; published: 3/38, 4/38 or 12/38 for xbot."""

    weight: float = Field(1.0, ge=0)
    """Factor of the part in the loss."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        """No range is empty."""
        for start, stop in self.ranges:
            if not 0 <= start < stop:
                raise ValueError(f"ranges: {start} to {stop} of part {self.name} holds no number")
        return self


class PolicyObjectiveConfig(FrozenConfig):
    """The loss of the denoiser (arXiv 2206.00364, equation 8, with all weights 1)."""

    density: NoiseDensityConfig = NoiseDensityConfig()
    """Which noise levels are drawn."""

    parts: tuple[ActionPartConfig, ...] = ()
    """The loss is the weighted sum of these. Empty: the mean over all numbers, as for CALVIN."""

    goal_dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the samples that are trained without their goal, which is then zeros. Published: none."""

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        """Parts can be told apart."""
        names = [part.name for part in self.parts]
        if len(set(names)) < len(names):
            raise ValueError("parts: a name occurs twice")
        return self


class ActionSamplingConfig(FrozenConfig):
    """How a chunk of actions is made from noise."""

    sampler: SamplerName = "ddim"
    """The way from one noise level to the next."""

    schedule: ScheduleName = "exponential"
    """How the levels fall."""

    steps: int = Field(10, ge=1)
    """Levels above zero. The paper says 4, its code 10."""

    sigma_min: float = Field(0.001, gt=0)
    """The last level above zero. The published evaluation on CALVIN sets it to 1.0, its validation while
    training does not."""

    sigma_max: float = Field(80.0, gt=0)
    """The first level, and the standard deviation of the noise that is started from whatever the schedule."""

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        """Noise falls."""
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min={self.sigma_min} is not below sigma_max={self.sigma_max}")
        return self


class PolicyValidationConfig(FrozenConfig):
    """What is measured while training, and how often."""

    every_steps: int | None = Field(1000, ge=1)
    """Updates between two measurements; the end is always measured. None: never."""

    items: int = Field(256, ge=1)
    """Held-out items, spread over all of them."""

    batch_size: int = Field(64, ge=1)
    """Items measured at once."""
