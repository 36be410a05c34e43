"""Parameters of the episodes of the sample world's arm."""

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.sample_world.config import ActivityName, SampleWorldConfig
from vidrep_pipelines.data.sample_world.policy import PolicyName


class BehaviorConfig(FrozenConfig):
    """Who acts."""

    policy: PolicyName = "scripted"
    """``scripted`` does the activity, ``random`` moves the joints smoothly at random."""

    noise: float = Field(0.1, ge=0, le=1)
    """Standard deviation of the scripted policy's disturbance, as a share of the full joint speed."""

    @property
    def name(self) -> str:
        """What its episodes are reported under."""
        return f"scripted_noise_{self.noise:g}" if self.policy == "scripted" else self.policy


class AgentEpisodesConfig(FrozenConfig):
    """Which episodes are collected."""

    world: SampleWorldConfig = SampleWorldConfig(width=84, height=84, distractors=1)
    """The world and its camera; of its clips only the pictures' settings count here."""

    activity: ActivityName = "push"
    """What is rewarded."""

    behaviors: tuple[BehaviorConfig, ...] = Field(
        (BehaviorConfig(), BehaviorConfig(noise=0.5), BehaviorConfig(policy="random")), min_length=1
    )
    """Dealt to the episodes in turn. A mix makes values differ: random episodes alone earn near zero."""

    episodes: int = Field(60, ge=1)
    """Number of episodes. More of them leave the earlier ones as they are."""

    frames: int = Field(81, ge=16)
    """Length of every episode: one more than its steps."""

    scenes: int | None = Field(None, ge=1)
    """Different looks and starts, dealt in turn. None: every episode has its own."""

    annotations: bool = False
    """Keeps what the simulator knows: instruction, phases, rate, and masks (a third more bytes). The
    instruction is what the scene asks for, whoever acts. Without it files are those of former versions."""

    seed: int = 0
    """Everything that is drawn follows from it."""
