from collections.abc import Iterator

from benchmarks.timing import Medians, interleave, seconds


class Machine:
    """A clock that only work moves, and a note of who worked."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[str] = []

    def clock(self) -> float:
        return self.now

    def work(self, name: str, durations: Iterator[float]) -> None:
        self.done.append(name)
        self.now += next(durations)


def test_seconds_is_the_duration_of_the_work_alone() -> None:
    machine = Machine()
    machine.now = 100.0
    assert seconds(lambda: machine.work("ours", iter([2.5])), machine.clock) == 2.5


def test_sides_take_turns_and_the_first_round_does_not_count() -> None:
    machine = Machine()
    ours, reference = iter([50.0, 1.0, 3.0, 2.0]), iter([90.0, 8.0, 4.0, 40.0])
    medians = interleave(
        lambda: machine.work("ours", ours), lambda: machine.work("reference", reference), 3, machine.clock
    )
    assert machine.done == ["ours", "reference"] * 4
    assert medians == Medians(ours=2.0, reference=8.0)
    assert medians.ratio == 4.0
