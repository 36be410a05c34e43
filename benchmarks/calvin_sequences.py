"""CALVIN's sequences of tasks: categories first and shuffled lists, against choices and deep copies."""

import time

from benchmarks.reference.calvin_published import published_sequences
from benchmarks.timing import Result, interleave
from vidrep_pipelines.evaluation.calvin.sequences import task_sequences

SEQUENCES, ROUNDS = 8, 2
HOW = (
    f"CPU time of {SEQUENCES} sequences, about 7000 draws each, one process, interleaved, medians of {ROUNDS}"
    " rounds; the sequences are the same; reference: choices without repetition, deep copies of states, "
    "tasks tried before categories"
)


def run() -> dict[str, Result]:
    if [sequence.plain() for sequence in task_sequences(SEQUENCES)] != published_sequences(SEQUENCES):
        raise AssertionError("the sequences differ")
    medians = interleave(
        lambda: task_sequences(SEQUENCES),
        lambda: published_sequences(SEQUENCES),
        ROUNDS,
        time.process_time,
    )
    result = Result(
        ratio=medians.ratio,
        ours=1000 * medians.ours / SEQUENCES,
        reference=1000 * medians.reference / SEQUENCES,
        unit="milliseconds per sequence",
        how=HOW,
    )
    return {"calvin_sequences": result}
