"""In which world a policy is evaluated: the one that ``rollout.world`` names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vidrep_pipelines.adapters.dmc_rollouts import dmc_conditions, require_controller_success
from vidrep_pipelines.adapters.metaworld_rollouts import metaworld_conditions, require_expert_success
from vidrep_pipelines.adapters.rollouts import TRAINED, require_scripted_success, tabletop_conditions
from vidrep_pipelines.adapters.rollouts_config import (
    DmcRolloutConfig,
    MetaworldRolloutConfig,
    RolloutParameters,
    TabletopRolloutConfig,
)
from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcEpisodesConfig
from vidrep_pipelines.data.sources.dm_control.simulator import DMC_CAMERA
from vidrep_pipelines.data.sources.metaworld.config import MetaworldEpisodesConfig
from vidrep_pipelines.evaluation.rollouts.rollout_job import RolloutCondition


@dataclass(frozen=True)
class RolloutWorld:
    """The world of an evaluation.

    Attributes:
        parameters: Which world, episodes and conditions.
        tabletop: How the sample world's tables are drawn and filmed.
        metaworld: MetaWorld's tasks and layouts. None: there are none.
        dmc: Those of DM Control. None: there are none.
    """

    parameters: RolloutParameters
    tabletop: TabletopEpisodesConfig
    metaworld: MetaworldEpisodesConfig | None
    dmc: DmcEpisodesConfig | None = None

    @property
    def cameras(self) -> Sequence[str]:
        """Names of its cameras.

        Raises:
            ConfigurationError: It is a simulator, and that is not described.
        """
        if isinstance(self.parameters.root, DmcRolloutConfig):
            return (DMC_CAMERA,)
        if isinstance(self.parameters.root, MetaworldRolloutConfig):
            return self._described.pictures.cameras
        return self.tabletop.table.cameras

    def conditions(self, trained: VppPolicyMaker) -> list[RolloutCondition]:
        """What is compared.

        Raises:
            ConfigurationError: There are too few layouts, or a condition has no meaning there.
        """
        return self._conditions(self.parameters.root, trained)

    def filmed(self, trained: VppPolicyMaker) -> RolloutCondition:
        """The trained policy in the episodes that are filmed, with the future that it sees if that is shown.

        Raises:
            ConfigurationError: There are too few layouts.
        """
        config = self.parameters.root.model_copy(update={"conditions": (TRAINED,)})
        (condition,) = self._conditions(config, replace(trained, imagination=config.imagination))
        return condition

    def _conditions(
        self,
        config: TabletopRolloutConfig | MetaworldRolloutConfig | DmcRolloutConfig,
        trained: VppPolicyMaker,
    ) -> list[RolloutCondition]:
        if isinstance(config, DmcRolloutConfig):
            return dmc_conditions(config, self._described_dmc, trained)
        if isinstance(config, MetaworldRolloutConfig):
            return metaworld_conditions(config, self._described, trained)
        return tabletop_conditions(config, self.tabletop, trained)

    def require_oracle(self) -> None:
        """Replays what the world's scripted experts do.

        Raises:
            ConfigurationError: It does not succeed again, or there are too few layouts.
        """
        config = self.parameters.root
        if isinstance(config, MetaworldRolloutConfig):
            require_expert_success(config, self._described)
        elif isinstance(config, DmcRolloutConfig):
            require_controller_success(config, self._described_dmc)
        else:
            require_scripted_success(config, self.tabletop)

    @property
    def _described(self) -> MetaworldEpisodesConfig:
        if self.metaworld is None:
            raise ConfigurationError(
                "rollout.world is metaworld, and robot_episodes.metaworld is null. Remedy: give "
                "robot_episodes.metaworld what the policy's demonstrations were made with."
            )
        return self.metaworld

    @property
    def _described_dmc(self) -> DmcEpisodesConfig:
        if self.dmc is None:
            raise ConfigurationError(
                "rollout.world is dmc, and robot_episodes.dmc is null. Remedy: give robot_episodes.dmc what "
                "the policy's demonstrations were made with."
            )
        return self.dmc
