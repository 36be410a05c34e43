"""Training a policy on the states of a task: what is asked for, and the work itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.extras import require_extra
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.sources.dm_control.actor import ActorFacts, Layers, run_actor, write_actor
from vidrep_pipelines.data.sources.dm_control.config import ControlConfig, ControlTrainingConfig
from vidrep_pipelines.data.sources.dm_control.episodes import (
    SEED_LIMIT,
    ControlEnvironment,
    flat_observation,
    load_environment,
    repeat_action,
)

_TRAINING = 1
"""Version of what equal parameters lead to: raised when the trained policy changes."""

WEIGHTS, FACTS = ".safetensors", ".json"


@dataclass(frozen=True)
class PolicyRequest:
    """A policy to be trained.

    Attributes:
        domain: Domain of the task.
        task: Its name.
        action_repeat: Control steps per action.
        config: How it is trained.
        folder: Where states of the training are kept, from which it goes on.
    """

    domain: str
    task: str
    action_repeat: int
    config: ControlTrainingConfig
    folder: Path

    @property
    def id(self) -> str:
        """Name of its files."""
        return f"{self.domain}_{self.task}"

    @property
    def digest(self) -> str:
        """Changes with all that the weights depend on."""
        return digest_of(self.lineage, self.config.steps)

    @property
    def lineage(self) -> str:
        """Equal where a longer training may go on from a shorter one."""
        science = self.config.model_dump(exclude={"steps", "save_every", "evaluation_episodes"})
        return digest_of(_TRAINING, self.domain, self.task, self.action_repeat, science)


def policy_requests(config: ControlConfig, folder: Path) -> list[PolicyRequest]:
    """One request if a behavior acts by a policy of which no file is named, else none."""
    needed = any(behavior.policy == "trained" and behavior.actor is None for behavior in config.dealt)
    request = PolicyRequest(
        config.domain, config.task, config.action_repeat, config.training, folder.absolute() / config.name
    )
    return [request] if needed else []


def train_policy_item(request: PolicyRequest, outputs: Mapping[str, Path]) -> dict[str, float | int]:
    """Trains, or goes on with training, and writes the policy.

    Args:
        request: The policy.
        outputs: Where weights (".safetensors") and facts (".json") go.

    Returns:
        One row: actions (in training), and mean_return of the finished policy.

    Raises:
        MissingExtraError: dm_control or stable-baselines3 is not installed.
        ConfigurationError: There is no such task.
    """
    for module in ("dm_control", "gymnasium", "stable_baselines3"):
        require_extra(module, "robots")
    # Only now: these modules cannot be imported without the extra.
    from vidrep_pipelines.data.sources.dm_control.gymnasium import ControlGymnasium  # noqa: PLC0415
    from vidrep_pipelines.data.sources.dm_control.sac import SacTraining  # noqa: PLC0415

    config, seed = request.config, seed_for(request.config.seed, request.id, "training")
    task = load_environment(request.domain, request.task, seed % SEED_LIMIT)
    environment = ControlGymnasium(task, request.action_repeat)
    training = SacTraining(environment, config, request.folder / "training.pt", request.lineage)
    training.run()
    layers = training.layers()
    returns = [episode_return(task, layers, request.action_repeat) for _ in range(config.evaluation_episodes)]
    facts = ActorFacts(
        task=request.id,
        observation=environment.observation,
        actions=task.action_spec().shape[0],
        action_repeat=request.action_repeat,
        steps=config.steps,
        returns=returns,
    )
    write_actor(outputs[WEIGHTS], outputs[FACTS], layers, facts)
    return {"actions": config.steps, "mean_return": sum(returns) / len(returns)}


def episode_return(environment: ControlEnvironment, layers: Layers, action_repeat: int) -> float:
    """The return of one episode of a policy, without noise."""
    specification = environment.action_spec()
    low, high = specification.minimum, specification.maximum
    step, total = environment.reset(), 0.0
    while not step.last():
        wanted = run_actor(layers, flat_observation(step.observation))
        step, reward = repeat_action(environment, low + (wanted + 1) / 2 * (high - low), action_repeat)
        total += reward
    return total
