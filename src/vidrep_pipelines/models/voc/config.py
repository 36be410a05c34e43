"""Sizes, targets and evaluation of Video Occupancy Models (arXiv 2407.09533).

Defaults are correct by our reading; ``VocPreset.published`` selects what the released scripts really did, the
slips included, each of which is a field of its own.
"""

from typing import Any, Literal, Self

from pydantic import (
    Field,
    PositiveInt,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from vidrep_pipelines.common.config import FrozenConfig

TokenizerName = Literal["vae", "dino", "musik"]
OccupancyName = Literal["vae", "dino", "musik", "joint"]
"""Occupancy models by what their tokens come from; ``joint``: a ``vae`` that is trained along with it."""

ReleasedName = Literal["vae_released", "dino_released"]
"""Occupancy models on the codes that the authors publish."""

FeatureLayout = Literal["channel_major", "token_major"]
TargetKind = Literal["td", "n_step", "geometric"]


class GptConfig(FrozenConfig):
    """A GPT-2: pre-norm blocks, tied embeddings, learned positions (Radford et al. 2019)."""

    vocabulary: int = Field(1024, ge=2, le=32768)
    """Codes of the tokenizer. At most what 16-bit integers number."""

    positions: int = Field(1024, ge=2)
    """Longest sequence: at least twice the tokens of a state."""

    layers: int = Field(4, ge=1)
    """Transformer blocks (`n_layer`)."""

    heads: int = Field(8, ge=1)
    """Attention heads, a divisor of ``width`` (`n_head`)."""

    width: int = Field(512, ge=1)
    """Channels of a token (`n_embd`). The released models have 768: the scripts ask for 512 (vae, musik) or
    128 (dino) by a misspelled key, which the library passes over."""

    residual_dropout: float = Field(0.0, ge=0, lt=1)
    """After attention and perceptron (`resid_pdrop`)."""

    embedding_dropout: float = Field(0.0, ge=0, lt=1)
    """After the embeddings (`embd_pdrop`)."""

    attention_dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout of attention weights (`attn_pdrop`). 0.1 in the released models: the 0.2 that two scripts
    ask for is misspelled too."""

    action_dimension: int | None = Field(None, ge=1)
    """Condition on an action of so many numbers, taken in the state. None, as published: the occupancy of
    whatever policy made the data."""

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width={self.width} is no multiple of heads={self.heads}")
        return self


class RewardConfig(FrozenConfig):
    """A perceptron from the codebook vectors of a state to its reward."""

    codebook_dimension: int = Field(256, ge=1)
    """Channels D of a codebook vector."""

    layout: FeatureLayout = "channel_major"
    """Order of its inputs: (frame, channel, y, x) for vae and musik, (frame, y, x, channel) for dino."""

    units: Literal["codebook", "standardized", "standardized_per_place"] = "codebook"
    """Units of its inputs: codebook vectors as published, or with mean 0 and deviation 1 per channel
    over the codes. Codebooks differ in scale by orders of magnitude; small inputs are learned from slowly.
    ``standardized_per_place``: with mean 0 and deviation 1 per channel and place over the training episodes,
    for what hardly ever varies at a place is lost in what varies there always (``musik``)."""

    width: int = Field(256, ge=1)
    """Hidden units of both layers."""

    weight_decay: float = Field(0.01, ge=0)
    """Weight decay of all its parameters, in place of the optimizer's."""


class VocModelConfig(FrozenConfig):
    """What a state is, and the networks."""

    gpt: GptConfig = GptConfig()
    """The occupancy model."""

    frame_stack: int = Field(3, ge=1)
    """Frames of a state."""

    grid: tuple[PositiveInt, PositiveInt] = (5, 5)
    """Rows and columns of the tokens of a frame."""

    reward: RewardConfig | None = RewardConfig()
    """Head that predicts rewards, needed for values. None: no head, and no codebook is needed."""

    @model_validator(mode="after")
    def _check_positions(self) -> Self:
        if 2 * self.state_tokens > self.gpt.positions:
            raise ValueError(
                f"gpt.positions={self.gpt.positions} is less than twice the "
                f"{self.state_tokens} tokens of a state"
            )
        return self

    @property
    def state_tokens(self) -> int:
        """Tokens T of a state."""
        return self.frame_stack * self.grid[0] * self.grid[1]


class TargetConfig(FrozenConfig):
    """Which samples of the discounted future the model is trained on."""

    kind: TargetKind = "td"
    """``td``, as published: the next state with probability 1 - gamma, else a sample of the target network
    from there. ``n_step``: the state after j < ``steps`` further steps with probability (1 - gamma) gamma^j,
    else a sample from the state after ``steps``; an episode's end shortens it, which leaves it unbiased, so
    that a large ``steps`` hardly bootstraps. ``geometric``: always a state of the episode, at a geometric
    offset; no sampling, but a draw past the episode's end is replaced by another context and offset."""

    steps: int = Field(1, ge=1)
    """n of ``n_step``."""

    gamma: float = Field(0.8, gt=0, lt=1)
    """Discount per step."""

    top_k: int | None = Field(None, ge=1)
    """Draw from so many likeliest tokens. The released code keeps 50, a default of its library, so that what
    it learns is no longer the occupancy. None: all."""

    dropout: bool = False
    """Leave dropout on in the target network while it is sampled, as released."""

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        if self.steps != 1 and self.kind != "n_step":
            raise ValueError(f"target.steps={self.steps} needs target.kind: n_step")
        return self

    @property
    def bootstraps(self) -> bool:
        """Whether the target network is ever sampled."""
        return self.kind != "geometric"


class VocObjectiveConfig(FrozenConfig):
    """The losses and the target network."""

    target: TargetConfig = TargetConfig()
    """What is predicted."""

    loss_on: Literal["all", "target"] = "all"
    """Tokens in the mean: of the future and, as published, of the context too; or of the future only."""

    ema_decay: float = Field(0.9, ge=0, lt=1)
    """Decay of the target network, per update. 0: it is the trained network itself."""

    second_rate: Literal["scheduled", "constant"] = "scheduled"
    """Learning rate of all but the GPT: of the reward head, and of a tokenizer that is trained along. As
    released, these have an optimizer of their own, whose rate stays at the peak."""

    @model_serializer(mode="wrap")
    def _without_what_is_off(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A rate that follows the schedule is left out: digests of runs with it stay as they were."""
        described: dict[str, Any] = serialized(self)
        if self.second_rate == "scheduled":
            described.pop("second_rate", None)
        return described


class HeldOutLossConfig(FrozenConfig):
    """The loss on held-out episodes while training, and which weights are kept by it."""

    every_steps: int | None = Field(5000, ge=1)
    """Updates between two measurements; the end is always measured. None: never."""

    split: str = "validation"
    """Part of the episodes that is measured."""

    items: int = Field(512, ge=1)
    """Samples whose loss is measured, spread evenly over the episodes: contexts, or frames of a tokenizer."""

    batch_size: int = Field(32, ge=1)
    """Samples that are measured together."""

    keep: dict[str, Literal["lowest", "highest"]] = Field(default_factory=dict)
    """Scores by which the best weights are kept in the run's folder, below ``best``: ``{loss: lowest}``."""

    publish: str | None = None
    """The one of ``keep`` whose best weights become the trained model. None: the last weights do."""

    @model_validator(mode="after")
    def _check_publish(self) -> Self:
        if self.publish is not None and (self.every_steps is None or self.publish not in self.keep):
            raise ValueError(f"publish: {self.publish} needs validation.every_steps, and an entry in keep")
        return self


class VocValidationConfig(HeldOutLossConfig):
    """What is measured of an occupancy model on held-out episodes while it is trained.

    Published: values every 100 (vae) or 200 updates, on the episodes that are trained on.
    """

    evaluate: bool = True
    """Also measure values, as published. False: only the loss."""

    contexts: int = Field(32, ge=2)
    """States whose values are measured."""

    samples: int = Field(100, ge=1)
    """States drawn from the discounted future of each."""


class VocPreset(FrozenConfig):
    """What a released script trains, by tokenizer.

    The schedule that goes with it: AdamW with betas 0.9 and 0.999, learning rate 3e-4, weight decay 0.1,
    warm-up over 5000 of 100,000 updates, batch 32. The vae and musik scripts add up (not average) the
    gradients of two batches per update, to which AdamW is nearly blind, and stop halfway down the cosine
    after 50,000 updates: ``train.summed_batches`` and ``train.optimizer.schedule_steps``, as
    ``conf/published`` has them. Their reward head has a constant learning rate (``second_rate``).
    """

    model: VocModelConfig
    objective: VocObjectiveConfig

    @classmethod
    def published(
        cls, tokenizer: TokenizerName, *, sizes: Literal["trained", "intended"] = "trained"
    ) -> Self:
        """The released configuration.

        Args:
            tokenizer: Kind of the tokenizer whose tokens are modeled.
            sizes: ``trained``: what the released models are; ``intended``: what their scripts ask for in
                vain.
        """
        return cls(
            model=_published_model(tokenizer, intended=sizes == "intended"),
            objective=VocObjectiveConfig(target=TargetConfig(top_k=50, dropout=True), second_rate="constant"),
        )


def _published_model(tokenizer: TokenizerName, *, intended: bool) -> VocModelConfig:
    if tokenizer == "dino":
        return VocModelConfig(
            gpt=GptConfig(
                vocabulary=8192,
                positions=784,
                heads=4,
                width=128 if intended else 768,
                residual_dropout=0.1,
                embedding_dropout=0.1,
                attention_dropout=0.1,
            ),
            frame_stack=2,
            grid=(14, 14),
            reward=RewardConfig(codebook_dimension=32, layout="token_major"),
        )
    gpt = GptConfig(
        width=512 if intended else 768,
        residual_dropout=0.2,
        embedding_dropout=0.2,
        attention_dropout=0.2 if intended else 0.1,
    )
    return VocModelConfig(gpt=gpt)
