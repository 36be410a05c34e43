"""What is compared when a policy is taken apart; apart from what imports torch."""

import re
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, PositiveInt, model_validator

from vidrep_pipelines.adapters.rollouts_config import TabletopRunConfig
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.models.vpp.policy.features_config import FeatureNoiseConfig, ReductionConfig

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class VideoFeatureSet(FrozenConfig):
    """What a video model predicts; how it is read is said by ``params:vpp_features`` but for what is here."""

    source: Literal["video_model", "untrained_video_model"]
    """``untrained_video_model``: the same architecture with random weights, its own text model included;
    a text model that was trained by others stays."""

    reduction: ReductionConfig | None = None
    """What is kept. None: as in ``params:vpp_features``. ``{kind: pooled, frames: [0]}`` keeps what is seen
    and nothing of what is predicted."""

    noise: FeatureNoiseConfig | None = None
    """Behind which noise. None: as in ``params:vpp_features``."""

    updates: PositiveInt | None = None
    """The video model as it was after so many updates, which its training must have kept
    (``vpp_video.train.keep_every``). None: after all of them."""

    @model_validator(mode="after")
    def _check_updates(self) -> Self:
        """What was never trained has no updates."""
        if self.updates is not None and self.source == "untrained_video_model":
            raise ValueError("updates: an untrained video model has none; take the source video_model")
        return self


class EncoderFeatureSet(FrozenConfig):
    """What an image encoder makes of a picture: one frame, nothing predicted, instructions not seen.

    Features get two more channels, the place of each in the picture (from -1 to 1, to the right and down),
    as the Video Former does not know the places of a frame, and not every encoder says them.
    """

    source: Literal["encoder"]
    """Names this kind of features."""

    encoder: str
    """Its name in ``params:encoders``."""

    grid: PositiveInt | None = None
    """Rows and columns that features are averaged over. None: as they are."""


FeatureSetConfig = Annotated[VideoFeatureSet | EncoderFeatureSet, Field(discriminator="source")]


class AblatedPolicy(FrozenConfig):
    """What is different about a policy."""

    features: str
    """The set of features that it is trained on and looks at."""

    episodes: PositiveInt | None = None
    """Demonstrations. None: as in ``params:policy_items.items``."""

    cross_causal: bool | None = None
    """Whether an action attends to no token behind its own number. None: as in ``params:vpp_policy``."""


class AblationRun(NamedTuple):
    """A policy with an execution horizon: a row of the table."""

    policy: str
    """Name of the policy."""
    execute_steps: int
    """Actions of a chunk that are executed."""

    @property
    def name(self) -> str:
        """What its rollouts are called: ``pixels/execute_5``."""
        return f"{self.policy}/execute_{self.execute_steps}"


class InstructionScoresConfig(FrozenConfig):
    """On how many tables video models are asked whether their predictions follow the instruction."""

    split: str = "validation"
    """Part of the store whose tables are used."""

    tables: int = Field(24, ge=0)
    """At most so many tables, spread evenly over the split's. 0: nothing is asked."""


class PolicyAblationConfig(FrozenConfig):
    """Which policies are trained and compared (``params:ablate_vpp_policy``)."""

    features: dict[str, FeatureSetConfig] = Field(min_length=1)
    """Sets of features by name."""

    policies: dict[str, AblatedPolicy] = Field(min_length=1)
    """Policies by name."""

    use: tuple[str, ...] | None = None
    """Those that are trained and compared. None: all."""

    reference: str
    """The policy that all others are compared with, at the horizon ``rollouts.rollout.execute_steps``."""

    swept: tuple[str, ...] = ()
    """Policies that act with other horizons too, of those that are used."""

    execute_steps: tuple[PositiveInt, ...] = (2, 5, 10)
    """Those horizons; at most the length of a chunk."""

    train_steps: PositiveInt | None = None
    """Updates of every policy. None: as in ``params:vpp_policy``."""

    rollouts: TabletopRunConfig = TabletopRunConfig()
    """How policies act on the tabletop."""

    instruction_scores: InstructionScoresConfig = InstructionScoresConfig()
    """The counterfactual test of every video model that some policy looks at."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Names are those of folders, and of things that there are."""
        for name in (*self.features, *self.policies):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} becomes the name of a folder: letters, digits, _, . and - only")
        for name, policy in self.policies.items():
            if policy.features not in self.features:
                raise ValueError(f"policies.{name}.features names {policy.features!r}, which is no set")
        if absent := sorted({self.reference, *self.swept, *(self.use or ())} - set(self.policies)):
            raise ValueError(f"reference, swept or use names {absent[0]!r}, which is not among policies")
        if self.reference not in self.used:
            raise ValueError(f"use leaves out the reference {self.reference!r}, which all are compared with")
        return self

    @property
    def used(self) -> dict[str, AblatedPolicy]:
        """The policies that are trained and compared, by name."""
        names = self.policies if self.use is None else self.use
        return {name: self.policies[name] for name in names}

    @property
    def reference_run(self) -> AblationRun:
        """What all others are compared with."""
        return AblationRun(self.reference, self.rollouts.rollout.execute_steps)

    @property
    def runs(self) -> list[AblationRun]:
        """The rows of the table: every policy, then the swept ones with other horizons."""
        usual = self.rollouts.rollout.execute_steps
        once = [AblationRun(name, usual) for name in self.used]
        swept = [name for name in self.swept if name in self.used]
        others = [steps for steps in self.execute_steps if steps != usual]
        return once + [AblationRun(name, steps) for name in swept for steps in others]

    def policies_on(self, features: str) -> list[AblatedPolicy]:
        """The used policies that look at a set of features."""
        return [policy for policy in self.used.values() if policy.features == features]

    @property
    def asked_updates(self) -> dict[int, str]:
        """After which updates the video model is looked at by some policy, and a set that says so."""
        used = {name: features for name, features in self.features.items() if self.policies_on(name)}
        video = {name: one for name, one in used.items() if isinstance(one, VideoFeatureSet)}
        return {one.updates: name for name, one in video.items() if one.updates is not None}

    def differ_in_updates(self, one: str, other: str) -> bool:
        """Whether two sets are the same but for how long their video model was trained, if at all."""
        return _whenever(self.features[one]) == _whenever(self.features[other])

    @property
    def by_updates(self) -> dict[str, AblatedPolicy]:
        """The reference and the policies that are as it is but for the updates of their video model."""
        reference = self.used[self.reference]
        if not isinstance(self.features[reference.features], VideoFeatureSet):
            return {}
        return {
            name: policy
            for name, policy in self.used.items()
            if policy.model_copy(update={"features": reference.features}) == reference
            and self.differ_in_updates(policy.features, reference.features)
        }


def _whenever(features: VideoFeatureSet | EncoderFeatureSet) -> VideoFeatureSet | EncoderFeatureSet:
    """The set of the trained model."""
    if isinstance(features, EncoderFeatureSet):
        return features
    return features.model_copy(update={"source": "video_model", "updates": None})
