"""A few episodes of a condition attempted once more, rendered at every step and filmed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.video.film import write_film
from vidrep_pipelines.evaluation.rollouts.config import FilmsConfig, RolloutConfig
from vidrep_pipelines.evaluation.rollouts.engine import RolloutRules, roll_out_episodes
from vidrep_pipelines.evaluation.rollouts.films import attempts_film
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart
from vidrep_pipelines.evaluation.rollouts.recording import AttemptRecorder
from vidrep_pipelines.evaluation.rollouts.rollout_job import RolloutCondition
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job, Scalar

_FILM = ".mp4"
_FILMING = 1
"""Version of what equal settings lead to: raised when the films change."""


@dataclass(frozen=True)
class FilmedEpisode:
    """An episode that is to be filmed.

    Attributes:
        condition: Whose.
        start: What it begins with.
        config: How it is rolled out; renders at every step.
        films: How it is shown.
    """

    condition: RolloutCondition
    start: EpisodeStart
    config: RolloutConfig
    films: FilmsConfig


def film_job(condition: RolloutCondition, films: FilmsConfig, fanout: FanOutConfig) -> Job:
    """One item per filmed episode: what was told, seen and, by policies that imagine, imagined.

    Args:
        condition: Whose episodes.
        films: How many, and how they are shown.
        fanout: How items are executed.
    """
    config = condition.config.model_copy(update={"render": "always"})
    shown = films.model_dump(exclude={"episodes"})
    digest = digest_of(_FILMING, condition.settings, shown)
    items = [
        Item(
            f"{condition.name}/{number:05d}",
            FilmedEpisode(condition, start, config, films),
            digest_of(digest, start),
        )
        for number, start in enumerate(condition.starts[: films.episodes])
    ]
    return Job("films of rollouts", film_episode, items, (_FILM,), fanout)


def film_episode(request: FilmedEpisode, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Attempts an episode and writes its film.

    Returns:
        Its name, what was told, whether it was done, and the frames of the film.
    """
    recorder = AttemptRecorder(request.condition.policy.make())
    rules = RolloutRules(request.config, "film", recorder.observe)
    make = request.condition.environment.make
    [record] = roll_out_episodes([request.start], make, recorder, rules, batch=1)
    films = request.films
    film = attempts_film([recorder.taken(record)], films.panel, hold=films.frames_per_second)
    write_film(outputs[_FILM], film, films.frames_per_second)
    return {
        "episode": record.episode,
        "instruction": record.instruction,
        "success": record.success,
        "frames": len(film),
    }
