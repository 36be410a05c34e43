"""Who acts under a condition of a closed-loop evaluation in a simulator of others."""

from dataclasses import replace

from vidrep_pipelines.adapters.coded_actions import CodedMaker
from vidrep_pipelines.adapters.rollouts_config import MetaworldConditionName
from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
from vidrep_pipelines.evaluation.rollouts.floors import StillMaker, UniformMaker
from vidrep_pipelines.evaluation.rollouts.protocol import PolicyMaker


def acting_under(
    name: MetaworldConditionName, trained: VppPolicyMaker, expert: PolicyMaker, actions: int, executed: int
) -> PolicyMaker:
    """The policy of a condition; ``trained`` and ``swapped`` differ in what they are told.

    Args:
        name: The condition.
        trained: The policy that is evaluated.
        expert: What made the demonstrations.
        actions: Numbers of an action, each in -1..1.
        executed: Actions of a plan.
    """
    match name:
        case "untrained":
            return replace(trained, untrained=True)
        case "uniform":
            return UniformMaker((-1.0,) * actions, (1.0,) * actions, executed)
        case "still":
            return StillMaker((0.0,) * actions, executed)
        case "scripted":
            return expert
        case "scripted_coded":
            return CodedMaker(expert, trained.policy)
        case _:
            return trained
