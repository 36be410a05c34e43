"""Peers are measured in the same turns, and one that is not there is said."""

import pytest
from benchmarks.peers import Comparison, Peer, Work, check_equal, compare, with_peer
from benchmarks.timing import Result


class Machine:
    """A clock that only work moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[str] = []

    def clock(self) -> float:
        return self.now

    def takes(self, name: str, duration: float) -> Work:
        def work() -> None:
            self.done.append(name)
            self.now += duration

        return work


def never() -> Work:
    raise AssertionError("a peer that is not installed was loaded")


def compared(machine: Machine, *peers: Peer) -> Comparison:
    ours, published = machine.takes("ours", 2.0), machine.takes("published", 8.0)
    return compare(ours, published, peers, 3, machine.clock)


def result() -> Result:
    return Result(ratio=4.0, ours=2.0, reference=8.0, unit="seconds", how="by hand")


def test_all_sides_take_turns_and_the_strongest_peer_is_kept() -> None:
    machine = Machine()
    slow = Peer("numpy", "slowly", lambda: machine.takes("slow", 3.0), "never told")
    fast = Peer("scipy", "fast", lambda: machine.takes("fast", 1.0), "it is compiled")
    absent = Peer("no-such-tool", "anyhow", never)
    comparison = compared(machine, slow, fast, absent)
    assert machine.done == ["ours", "published", "slow", "fast"] * 4
    assert comparison.medians.ratio == 4.0
    found = with_peer(result(), comparison.rivals)
    assert found["peer"].startswith("scipy ") and found["peer_ratio"] == 0.5
    assert found["reason"] == "it is compiled"
    assert found["peer_how"].startswith("fast; numpy ")
    assert "(slowly): 1.50; no-such-tool is not installed: pip install" in found["peer_how"]


def test_a_peer_that_does_a_part_is_set_against_that_part() -> None:
    machine = Machine()
    whole = Peer("numpy", "all of it", lambda: machine.takes("whole", 3.0))
    part = Peer(
        "scipy", "half of it", lambda: machine.takes("part", 3.0), ours=machine.takes("own part", 1.0)
    )
    assert [rival.ratio for rival in compared(machine, part, whole).rivals] == [3.0, 1.5]


def test_a_slower_peer_needs_no_reason_and_an_absent_one_has_no_ratio() -> None:
    machine = Machine()
    slower = Peer("numpy", "slowly", lambda: machine.takes("slow", 3.0), "not ahead")
    assert "reason" not in with_peer(result(), compared(machine, slower).rivals)
    absent = Peer("no-such-tool", "anyhow", never, install="pip install that")
    found = with_peer(result(), compared(machine, absent).rivals)
    assert found["peer"] == "no-such-tool" and "peer_ratio" not in found
    assert found["peer_how"] == "no-such-tool is not installed: pip install that"
    assert with_peer(result(), []) == result()


def test_a_peer_that_finds_something_else_is_no_peer() -> None:
    check_equal("it", [1.0, 2.0], [1.0, 2.0 + 1e-9])
    with pytest.raises(RuntimeError, match=r"it finds .* not the same work"):
        check_equal("it", [1.0], [1.1])
