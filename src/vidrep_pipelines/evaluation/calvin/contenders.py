"""Who is evaluated on CALVIN in one run: a policy, and the floors beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.calvin.config import (
    FLOORS,
    CalvinEvaluationConfig,
    CalvinPolicyConfig,
    FloorName,
)
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureMaker
from vidrep_pipelines.evaluation.calvin.miniature_expert import MiniatureExpertMaker
from vidrep_pipelines.evaluation.calvin.world import ACTION_NUMBERS, CalvinWorldMaker
from vidrep_pipelines.evaluation.rollouts.floors import StillMaker, UniformMaker
from vidrep_pipelines.evaluation.rollouts.protocol import PolicyMaker


@dataclass(frozen=True)
class Contender:
    """A policy with all that its result depends on but the world.

    Attributes:
        name: In tables and pictures; no other contender of the run has it.
        makers: Make the policy, equal but for the device it is computed on: work is dealt to them in turn.
        config: How it is evaluated.
        attempted: Sequences that it attempts, the first of ``config.sequences``.
    """

    name: str
    makers: tuple[PolicyMaker, ...]
    config: CalvinEvaluationConfig
    attempted: int

    def maker(self, number: int) -> PolicyMaker:
        """Makes the policy for the item of work with this number."""
        return self.makers[number % len(self.makers)]


def chosen_contenders(
    policy: CalvinPolicyConfig,
    evaluation: CalvinEvaluationConfig,
    world: CalvinWorldMaker,
    trained: Sequence[PolicyMaker],
) -> list[Contender]:
    """The policy that is asked for, and then the floors.

    Args:
        policy: Which one.
        evaluation: How it is evaluated.
        world: Where.
        trained: Make the trained policy, one for each device.

    Raises:
        ConfigurationError: The expert is asked for in another world than its own.
    """
    floors = dict.fromkeys([*(name for name in FLOORS if name == policy.kind), *policy.floors])
    contenders = [floor_contender(name, evaluation, policy.floor_sequences) for name in floors]
    if policy.kind == "trained":
        contenders.insert(0, Contender("trained", tuple(trained), evaluation, evaluation.sequences))
    elif policy.kind == "expert":
        contenders.insert(0, expert_contender(evaluation, world))
    return contenders


def baseline_contenders(
    policy: CalvinPolicyConfig, evaluation: CalvinEvaluationConfig, world: CalvinWorldMaker
) -> list[Contender]:
    """What needs no training: the expert in the miniature, and the floors everywhere.

    Raises:
        ConfigurationError: There is none, as no floor is named.
    """
    experts = [expert_contender(evaluation, world)] if isinstance(world, MiniatureMaker) else []
    floors = [floor_contender(name, evaluation, policy.floor_sequences) for name in policy.floors]
    if not experts + floors:
        raise ConfigurationError(
            "calvin.policy.floors is empty, and the simulator has no expert, so that there is nothing to "
            "evaluate. Remedy: name random, still or both."
        )
    return experts + floors


def expert_contender(evaluation: CalvinEvaluationConfig, world: CalvinWorldMaker) -> Contender:
    """The miniature's expert.

    Raises:
        ConfigurationError: It is another world.
    """
    if not isinstance(world, MiniatureMaker):
        raise ConfigurationError(
            f"calvin.policy.kind is expert, and the expert is the miniature's, not that of {world.renderer}. "
            "Remedy: set calvin.world.kind to miniature, or evaluate another policy."
        )
    maker = MiniatureExpertMaker(evaluation.rollout.execute_steps)
    return Contender("expert", (maker,), evaluation, evaluation.sequences)


def floor_contender(name: FloorName, evaluation: CalvinEvaluationConfig, sequences: int) -> Contender:
    """A floor, which plans a whole attempt at once, so that next to nothing is rendered.

    Args:
        name: Which one.
        evaluation: How the policy beside it is evaluated.
        sequences: That it attempts, at most.
    """
    steps = evaluation.rollout.most_steps
    makers: dict[FloorName, PolicyMaker] = {
        "random": UniformMaker((-1.0,) * ACTION_NUMBERS, (1.0,) * ACTION_NUMBERS, steps),
        "still": StillMaker((0.0,) * (ACTION_NUMBERS - 1) + (1.0,), steps),
    }
    rollout = evaluation.rollout.model_copy(update={"execute_steps": steps, "render": "when_planning"})
    own = evaluation.model_copy(update={"rollout": rollout})
    return Contender(name, (makers[name],), own, min(sequences, evaluation.sequences))
