"""The tasks, as scores that know which videos they come from."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.bootstrap import Statistic
from vidrep_pipelines.evaluation.frame_embeddings.action_classification import classify_actions
from vidrep_pipelines.evaluation.frame_embeddings.embedded_release import ActionVideos, EmbeddedRelease
from vidrep_pipelines.evaluation.frame_embeddings.embedding_set import EmbeddingSet
from vidrep_pipelines.evaluation.frame_embeddings.kendall_tau import KendallTau, tau_of
from vidrep_pipelines.evaluation.frame_embeddings.nearest_frames import NearestFrames
from vidrep_pipelines.evaluation.frame_embeddings.phase_classification import classify_phases
from vidrep_pipelines.evaluation.frame_embeddings.phase_progression import (
    PhaseProgression,
    ProgressionSums,
    progression_targets,
    score_progression,
)
from vidrep_pipelines.evaluation.frame_embeddings.retrieval import retrieval_of
from vidrep_pipelines.evaluation.frame_embeddings.scores import (
    OVERALL,
    Score,
    mean_over_frames,
    mean_over_pairs,
    mean_over_videos,
)

TaskOutcome = Score | tuple[str, str]
"""A score; or an item that was left out, and why."""


def phase_classification(action: ActionVideos) -> Iterator[TaskOutcome]:
    """Accuracy for every share of the training videos."""
    lengths = action.validation.lengths
    for result in classify_phases(action.train, action.validation, action.config.fractions):
        statistic = mean_over_frames(result.correct, lengths)
        yield _score(action, f"phase_classification_{_percent(result.fraction)}", statistic)


def phase_progression(action: ActionVideos) -> Iterator[TaskOutcome]:
    """R^2 for every share of the training videos; phase ends that a video lacks are left out."""
    results = score_progression(action.train, action.validation, action.classes, action.config.fractions)
    for result in results:
        measure = f"phase_progression_{_percent(result.fraction)}"
        yield _score(action, measure, _mean_of_ends(result.sums))
        yield from _ends_not_scored(result)
    for video in action.validation.videos:
        for phase in np.flatnonzero(np.isnan(progression_targets(video, action.classes)[0])):
            yield video.id, f"it does not show phase {phase}"


def order_in_time(action: ActionVideos) -> Iterator[TaskOutcome]:
    """Published tau, tau with dropped pairs as 0, and that of the training videos."""
    tau = tau_of(action.nearest)
    yield _score(action, "kendall_tau", mean_over_pairs(tau.pairs))
    yield _score(action, "kendall_tau_all_pairs", mean_over_pairs(_without_gaps(tau.pairs)))
    yield from _dropped_pairs(tau, action.nearest)
    if len(action.train) > 1:
        pairs = tau_of(action.nearest_train).pairs
        split = action.config.train_split
        yield Score("kendall_tau_train", action.name, mean_over_pairs(pairs), len(pairs), split)


def retrieval(action: ActionVideos) -> Iterator[TaskOutcome]:
    """Precision at every number of neighbors for which there are enough frames."""
    for count in action.config.neighbors:
        try:
            (result,) = retrieval_of(action.nearest, [count])
        except InputError as error:
            yield "", str(error)
            continue
        yield _score(action, f"retrieval_at_{count}", mean_over_videos(result.per_video))


def inserted_pause(action: ActionVideos, paused: EmbeddingSet) -> Iterator[TaskOutcome]:
    """Phases of the same frames after a pause was inserted into their video, and how much worse they are.

    The classifier is that of all training videos, which have no pause; inserted frames do not count. What
    goes by the time that has passed is led astray, what goes by the pictures is not.

    Args:
        action: The videos.
        paused: The measured ones in the same order, embedded with the pause.
    """
    videos = action.validation.videos
    both = EmbeddingSet((*videos, *paused.labelled().videos))
    (result,) = classify_phases(action.train, both, (1.0,))
    before, after = np.split(result.correct, [len(videos)])
    lengths = action.validation.lengths
    yield _score(action, "inserted_pause_phases", mean_over_frames(after, lengths))
    yield _score(action, "inserted_pause_drop", mean_over_frames(before - after, lengths))


def linear_probe(release: EmbeddedRelease, device: str) -> Iterator[TaskOutcome]:
    """Accuracy of one probe for all actions; overall all frames count alike, as published."""
    from vidrep_pipelines.evaluation.frame_embeddings.linear_probe import (  # noqa: PLC0415 (torch takes seconds)
        probe_classes,
    )

    config = release.config
    train, validation = release.split(config.train_split), release.split(config.split)
    classes = int(release.table["classes"].max())
    results = probe_classes(train, validation, classes, config.probe, config.fractions, device)
    measured = validation.labelled()
    groups = _groups(release, measured)
    for result in results:
        measure = f"linear_probe_{_percent(result.fraction)}"
        for name, members in groups.items():
            statistic = mean_over_frames(result.correct[members], measured.lengths[members])
            yield Score(measure, name, statistic, len(members), config.split)
    for name in {video.id for video in validation.videos} - {video.id for video in measured.videos}:
        yield name, "none of its frames has a label"


def action_classification(release: EmbeddedRelease) -> Iterator[TaskOutcome]:
    """Share of the videos whose action is recognized."""
    config = release.config
    validation = release.split(config.split)
    result = classify_actions(
        release.split(config.train_split),
        release.actions_of(config.train_split),
        validation,
        release.actions_of(config.split),
    )
    for name, members in _groups(release, validation).items():
        statistic = mean_over_videos(result.correct[members])
        yield Score("action_classification", name, statistic, len(members), config.split)


def _score(action: ActionVideos, measure: str, statistic: Statistic) -> Score:
    return Score(measure, action.name, statistic, len(action.validation), action.config.split)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:g}"


def _mean_of_ends(sums: ProgressionSums) -> Statistic:
    """Mean R^2 of the phase ends that a selection of videos shows."""

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = sums.scores(weights)
        defined = ~np.isnan(scores)
        with np.errstate(invalid="ignore"):
            means: NDArray[np.float64] = np.where(defined, scores, 0.0).sum(axis=1) / defined.sum(axis=1)
        return means

    return statistic


def _ends_not_scored(result: PhaseProgression) -> Iterator[TaskOutcome]:
    for phase in np.flatnonzero(np.isnan(result.scores)):
        yield (
            "",
            f"phase {phase} is not shown by videos of both splits, with {_percent(result.fraction)} % of the "
            "training videos; the mean is over the other phases",
        )


def _without_gaps(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pairs of different videos whose tau is not defined count as without any order."""
    filled = np.nan_to_num(pairs, nan=0.0)
    np.fill_diagonal(filled, np.nan)
    return filled


def _dropped_pairs(tau: KendallTau, nearest: NearestFrames) -> Iterator[TaskOutcome]:
    videos = nearest.videos.videos
    for query, key in np.argwhere(np.isnan(tau.pairs)):
        if query != key:
            single = len(videos[query]) == 1
            reason = "a single frame is compared" if single else "all frames have the same nearest frame"
            yield f"{videos[query].id} > {videos[key].id}", reason


def _groups(release: EmbeddedRelease, videos: EmbeddingSet) -> dict[str, NDArray[np.intp]]:
    """Positions of the videos of every action, and of all."""
    actions = dict(zip(release.table["id"], release.table["action"], strict=True))
    own = np.array([actions[video.id] for video in videos.videos])
    groups = {str(name): np.flatnonzero(own == name) for name in dict.fromkeys(own.tolist())}
    return {OVERALL: np.arange(len(own)), **groups}
