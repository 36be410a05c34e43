"""Encoders side by side, with intervals over sequences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.evaluation.bootstrap import Statistic, confidence_interval
from vidrep_pipelines.evaluation.label_propagation.config import PropagationTask
from vidrep_pipelines.evaluation.label_propagation.errors import ResultMismatchError
from vidrep_pipelines.evaluation.label_propagation.measures import Measures, measures, member_table
from vidrep_pipelines.evaluation.label_propagation.task_scores import Arrays, headline

SUMMARY_COLUMNS = ("measure", "encoder", "value", "low", "high", "lead", "lead_low", "lead_high", "sequences")
"""Values and bounds of 95 % intervals in percent. ``lead``: how far the first encoder is ahead of this one,
from the same resamples of sequences for both, so that what is hard for both cancels."""


@dataclass(frozen=True)
class Comparison:
    """Scores of several encoders on the sequences that all of them have results for.

    Attributes:
        task: The task.
        sequences: Names of the sequences.
        scores: Scores of these, by encoder.
        without_result: Encoders that have no result at all.
    """

    task: PropagationTask
    sequences: tuple[str, ...]
    scores: Mapping[str, tuple[Arrays, ...]]
    without_result: tuple[str, ...]

    @classmethod
    def of(cls, task: PropagationTask, scores: Mapping[str, Mapping[str, Arrays]]) -> "Comparison":
        """Finds what can be compared.

        Args:
            task: The task.
            scores: Scores by encoder and sequence; an encoder that failed everywhere has an empty mapping.

        Raises:
            ResultMismatchError: There is no sequence that every encoder with any results has a result for.
        """
        with_result = {name: arrays for name, arrays in scores.items() if arrays}
        common = [
            name
            for name in next(iter(with_result.values()), {})
            if all(
                name in arrays and headline(task, arrays[name]) is not None for arrays in with_result.values()
            )
        ]
        if not common:
            raise ResultMismatchError(
                f"{task}: no sequence was scored for all of {', '.join(scores)}. The manifests of what was "
                "propagated and scored say why; DAVIS does not count the first and the last frame."
            )
        return cls(
            task,
            tuple(common),
            {encoder: tuple(arrays[name] for name in common) for encoder, arrays in with_result.items()},
            tuple(name for name in scores if name not in with_result),
        )

    @classmethod
    def of_nothing(cls, task: PropagationTask, scores: Mapping[str, Mapping[str, Arrays]]) -> "Comparison":
        """What there is to say where no sequence has an annotation: no numbers.

        Args:
            task: The task.
            scores: The scores, as for :meth:`of`; only the names of the encoders count.
        """
        return cls(task, (), dict.fromkeys(scores, ()), ())

    def summary(self) -> pd.DataFrame:
        """One row per measure and encoder, see ``SUMMARY_COLUMNS``; measures in their order."""
        if not self.sequences:
            return pd.DataFrame(columns=list(SUMMARY_COLUMNS))
        by_encoder = {encoder: self._measures(encoder) for encoder in self.scores}
        first = next(iter(by_encoder.values()))
        rows = [
            self._row(measure, encoder, statistics[measure], first[measure])
            for measure in first
            for encoder, statistics in by_encoder.items()
        ]
        return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))

    def members(self) -> pd.DataFrame:
        """One row per encoder and object, joint or class."""
        if not self.sequences:
            return pd.DataFrame(columns=["encoder", "name"])
        tables = [
            member_table(self.task, self._named(encoder)).assign(encoder=encoder) for encoder in self.scores
        ]
        table = pd.concat(tables, ignore_index=True)
        return table[["encoder", *(name for name in table if name != "encoder")]]

    def headlines(self) -> pd.DataFrame:
        """(sequences x encoders) the number by which sequences are ranked, in percent."""
        values = {
            encoder: [100 * (headline(self.task, arrays) or 0.0) for arrays in of_sequences]
            for encoder, of_sequences in self.scores.items()
        }
        return pd.DataFrame(values, index=pd.Index(self.sequences, name="sequence"))

    def _row(self, measure: str, encoder: str, statistic: Statistic, first: Statistic) -> tuple[object, ...]:
        groups = len(self.sequences)
        own = confidence_interval(statistic, groups)
        lead = confidence_interval(_difference(first, statistic), groups)
        return (measure, encoder, own.value, own.low, own.high, lead.value, lead.low, lead.high, groups)

    def _measures(self, encoder: str) -> Measures:
        return measures(self.task, self._named(encoder))

    def _named(self, encoder: str) -> Sequence[tuple[str, Arrays]]:
        return list(zip(self.sequences, self.scores[encoder], strict=True))


def _difference(one: Statistic, other: Statistic) -> Statistic:
    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return one(weights) - other(weights)

    return statistic
