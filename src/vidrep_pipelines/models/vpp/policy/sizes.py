"""The sizes of a policy that its data decide."""

import logging
from dataclasses import dataclass
from typing import Self

from pydantic import ValidationError

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.policy.config import GoalConfig, PolicyModelConfig
from vidrep_pipelines.models.vpp.policy.goal import goal_encoder
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.seen import SeenFeatures
from vidrep_pipelines.models.vpp.policy.statistics import PolicyStatistics

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PolicyDataSizes:
    """What data say of a policy's sizes.

    Attributes:
        frames: F, predicted frames whose features it sees.
        features: C, channels of the features.
        chunk: A, actions of an item.
        actions: a, numbers of an action as it is learned.
        goal: G, numbers of a goal.
        state: S, numbers of the robot's state as it is seen; 0 where none is known.
        places: N, places of the features of all views.
        items: How many items are learned from. None: enough for any architecture.
    """

    frames: int
    features: int
    chunk: int
    actions: int
    goal: int
    state: int
    places: int = 1
    items: int | None = None

    @classmethod
    def of(
        cls,
        seen: SeenFeatures,
        views: int,
        statistics: PolicyStatistics,
        items: PolicyItemsConfig,
        goal: GoalConfig,
        learned_items: int | None = None,
    ) -> Self:
        """Those of features of so many views, of items, of which there are so many, and goals.

        Raises:
            ConfigurationError: The text model that makes the goals is not named.
            InputError: It cannot be read.
        """
        columns = items.actions.state_columns
        F, C, h, w = seen.shape
        return cls(
            frames=F,
            features=C,
            chunk=items.rule.chunk,
            actions=len(statistics.action_01),
            goal=goal_encoder(goal).width,
            state=len(columns) or len(statistics.state_01),
            places=views * h * w,
            items=learned_items,
        )


def fitted_policy_model(
    config: PolicyModelConfig, sizes: PolicyDataSizes, *, sees_state: bool, knows_places: bool = False
) -> PolicyModelConfig:
    """The architecture with the sizes of data; what was set otherwise is said in the log.

    Args:
        config: Widths, depths and rules.
        sizes: Of the data.
        sees_state: Whether the policy sees the robot's state.
        knows_places: Whether it has an encoding of every place of the features.

    Raises:
        ConfigurationError: The state is to be seen, and none is known; or the tokens of the Video Former
            cannot be shared by the frames.
    """
    if sees_state and not sizes.state:
        raise ConfigurationError(
            "vpp_policy.sees_state is true, and the data set has no states. Remedy: set it to false."
        )
    places = sizes.places if knows_places else None
    former = {"frames": sizes.frames, "features": sizes.features, "places": places}
    if config.former.components is not None and sizes.items is not None:
        # Of n observations n - 1 components tell something.
        former["components"] = max(min(config.former.components, sizes.items - 1), 1)
    denoiser = {
        **{"chunk": sizes.chunk, "actions": sizes.actions, "goal": sizes.goal},
        **{"proprioception": sizes.state if sees_state else None},
    }
    for part, wanted in ((config.former, former), (config.denoiser, denoiser)):
        for name, value in wanted.items():
            if name in part.model_fields_set and getattr(part, name) != value:
                _log.info("vpp_policy: %s is %s, as in the data, not %s.", name, value, getattr(part, name))
    fields = config.model_dump()
    fields["former"] |= former
    fields["denoiser"] |= denoiser
    try:
        return PolicyModelConfig.model_validate(fields)
    except ValidationError as error:
        raise ConfigurationError(f"vpp_policy.model does not fit the data: {error}") from error
