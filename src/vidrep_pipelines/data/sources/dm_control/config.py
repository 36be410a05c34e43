"""Parameters of episodes of the DeepMind Control Suite."""

from typing import Literal

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig, UserPath


class ControlBehavior(FrozenConfig):
    """Who acts."""

    policy: Literal["uniform", "smooth", "scripted", "trained"] = "smooth"
    """``uniform``: independent uniform actions. ``smooth``: random actions that last a few steps.
    ``scripted``: a gait, joints that swing in a fixed rhythm. ``trained``: a policy of states."""

    actor: UserPath | None = None
    """A trained policy's ``.safetensors`` file, see ``dm_control_actor``. None: the one that the pipeline
    trains by ``training``."""

    noise: float = Field(0.0, ge=0)
    """Standard deviation of what is added to the actions of a gait or a trained policy."""

    @property
    def name(self) -> str:
        """What its episodes are reported under."""
        return (
            f"{self.policy}_noise_{self.noise:g}" if self.policy in ("scripted", "trained") else self.policy
        )


class ControlTrainingConfig(FrozenConfig):
    """How a policy is trained on states: soft actor-critic of stable-baselines3 (extra ``robots``)."""

    steps: int = Field(300_000, ge=100)
    """Actions taken in the task, each of them repeated as in the episodes."""

    hidden: tuple[int, ...] = Field((256, 256), min_length=1)
    """Units of the layers of actor and critics."""

    batch_size: int = Field(256, ge=1)
    """Transitions per update."""

    updates_every: int = Field(1, ge=1)
    """Actions between updates; one update each. More is faster and learns less per action."""

    learning_rate: float = Field(3e-4, gt=0)
    """Learning rate of actor, critics and entropy coefficient."""

    discount: float = Field(0.99, gt=0, lt=1)
    """Discount of the policy's own returns; no matter for that of what is trained on its episodes."""

    random_steps: int = Field(2_000, ge=1)
    """Random actions before the first update."""

    save_every: int = Field(20_000, ge=100)
    """Actions between states of the training from which a killed one goes on."""

    evaluation_episodes: int = Field(3, ge=1)
    """Episodes of the finished policy, without noise, whose mean return is written beside it."""

    seed: int = 0
    """Seed of weights, actions and updates."""


class ControlConfig(FrozenConfig):
    """Which episodes are collected. The defaults are those of V-D4RL and of the published system."""

    domain: str = "cheetah"
    """The suite's domain, for example ``cheetah`` or ``walker``."""

    task: str = "run"
    """The domain's task, for example ``run`` or ``walk``."""

    episodes: int = Field(50, ge=1)
    """Number of episodes."""

    policy: Literal["random", "scripted", "trained"] = "random"
    """Who acts; ``random`` is ``smooth`` and ``uniform`` in turn, which earns next to nothing."""

    noise: tuple[float, ...] = Field((0.0, 0.25, 0.5, 1.0), min_length=1)
    """Levels dealt in turn to the episodes of a scripted or trained policy, so that values differ."""

    behaviors: tuple[ControlBehavior, ...] = ()
    """Any mix, dealt to the episodes in turn, in place of ``policy`` and ``noise``."""

    training: ControlTrainingConfig = ControlTrainingConfig()
    """The policy ``trained``; done only if a behavior needs it."""

    action_repeat: int = Field(2, ge=1)
    """Control steps per action; the rewards of these are added up."""

    size: int = Field(84, ge=16)
    """Side of the rendered pictures in pixels."""

    camera: int = Field(0, ge=0)
    """Number of the camera; 2 for ``quadruped``."""

    quality: Literal["fast", "published"] = "fast"
    """``fast``: without shadows, reflections and multisampling, 6 to 8 times faster in software. The pictures
    differ a little (a walker has no shadow), so that encoders of one kind should not get the other."""

    seed: int = 0
    """Everything that is drawn follows from it."""

    @property
    def dealt(self) -> tuple[ControlBehavior, ...]:
        """The behaviors that are dealt to the episodes in turn."""
        if self.behaviors:
            return self.behaviors
        if self.policy == "random":
            return ControlBehavior(policy="smooth"), ControlBehavior(policy="uniform")
        return tuple(ControlBehavior(policy=self.policy, noise=level) for level in self.noise)

    @property
    def name(self) -> str:
        """The task in one word, which also begins the names of its episodes."""
        return f"{self.domain}_{self.task}"
