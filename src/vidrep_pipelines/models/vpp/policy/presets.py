"""The published configurations of the policy, by their names."""

from typing import Literal, Self

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.models.vpp.policy.config import (
    ActionPartConfig,
    ActionSamplingConfig,
    DenoiserConfig,
    PolicyModelConfig,
    PolicyObjectiveConfig,
    VideoFormerConfig,
)

PolicyPresetName = Literal["calvin", "xbot", "xhand"]

XBOT_ACTIONS, XHAND_ACTIONS = 38, 18
"""Numbers of an action: two arms of 19 (position 3, quaternion 4, hand 12); one of 18 (3, 3 angles, 12)."""

XBOT_PARTS: tuple[ActionPartConfig, ...] = (
    ActionPartConfig(name="xyz", ranges=((0, 3), (19, 22)), share=3 / XBOT_ACTIONS, weight=2.0),
    ActionPartConfig(name="rotation", ranges=((3, 7), (22, 26)), share=4 / XBOT_ACTIONS, weight=2.0),
    ActionPartConfig(name="hand", ranges=((7, 19), (26, 38)), share=12 / XBOT_ACTIONS),
)
"""Positions and rotations count twice as much as fingers."""


def xhand_parts(actions: int = XHAND_ACTIONS) -> tuple[ActionPartConfig, ...]:
    """The same for one arm, whose actions have 18 numbers, or 19 with a quaternion in place of angles.

    The published shares are those of 18 numbers in both.
    """
    hand = actions - 12
    return (
        ActionPartConfig(name="xyz", ranges=((0, 3),), share=3 / XHAND_ACTIONS, weight=2.0),
        ActionPartConfig(name="rotation", ranges=((3, hand),), share=3 / XHAND_ACTIONS, weight=2.0),
        ActionPartConfig(name="hand", ranges=((hand, actions),), share=12 / XHAND_ACTIONS),
    )


class PolicyPreset(FrozenConfig):
    """A published configuration.

    The published schedule is the same for all: AdamW with a constant rate of 1e-4 (its tri-stage schedule is
    attached to another optimizer, which is not used), betas 0.9 and 0.9, weight decay 0.05 on everything, no
    clipping, half precision, 28 samples a GPU on 4 GPUs (the authors: 32; the paper: 76), about 12 epochs,
    and an average of the weights with decay 0.9999 that is neither evaluated nor saved.
    """

    model: PolicyModelConfig
    """The architecture."""

    objective: PolicyObjectiveConfig
    """The loss."""

    sampling: ActionSamplingConfig
    """How actions are made in the published evaluation."""

    @classmethod
    def named(cls, name: PolicyPresetName) -> Self:
        """The configuration of that name.

        Args:
            name: ``calvin``: one arm of 7 numbers, without the robot's state. ``xbot``: two arms with hands,
                chunks of 8. ``xhand``: one arm with a hand; its states have 19 numbers, its actions 18.
        """
        if name == "calvin":
            return cls(
                model=PolicyModelConfig(),
                objective=PolicyObjectiveConfig(),
                sampling=ActionSamplingConfig(sigma_min=1.0),
            )
        if name == "xbot":
            denoiser = DenoiserConfig(chunk=8, actions=XBOT_ACTIONS, proprioception=XBOT_ACTIONS)
            parts = XBOT_PARTS
        else:
            denoiser = DenoiserConfig(chunk=10, actions=XHAND_ACTIONS, proprioception=XHAND_ACTIONS + 1)
            parts = xhand_parts()
        return cls(
            model=PolicyModelConfig(former=VideoFormerConfig(features=1280), denoiser=denoiser),
            objective=PolicyObjectiveConfig(parts=parts),
            sampling=ActionSamplingConfig(),
        )
