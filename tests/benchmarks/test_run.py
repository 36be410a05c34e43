import json
import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from benchmarks.timing import Result

from benchmarks import run


def result(ratio: float) -> Result:
    return Result(ratio=ratio, ours=1.5, reference=1.5 * ratio, unit="seconds", how="by hand")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Two benchmarks of the test's own in place of the real ones; returns the file of results."""
    for name, ratio in (("quick", 2.0), ("slow", 3.0)):
        module = ModuleType(f"benchmarks.{name}")
        monkeypatch.setattr(module, "run", lambda name=name, ratio=ratio: {f"{name}_a": result(ratio)}, False)
        monkeypatch.setitem(sys.modules, f"benchmarks.{name}", module)
    table = {"benchmarks.quick": ("quick_a",), "benchmarks.slow": ("slow_a",)}
    monkeypatch.setattr(run, "BENCHMARKS", table)
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.json")
    return tmp_path / "results.json"


@pytest.mark.parametrize(
    ("only", "modules"),
    [
        (None, list(run.BENCHMARKS)),
        ("rsp_training_step_bf16", ["benchmarks.rsp_training_step"]),
        ("rsp_training_step", ["benchmarks.rsp_training_step"]),
        ("rsp_pair_loading", ["benchmarks.rsp_pair_loading"]),
    ],
)
def test_modules_are_chosen_by_result_or_by_their_own_name(only: str | None, modules: list[str]) -> None:
    assert run.modules_for(only) == modules


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SystemExit, match=r"no benchmark 'rsp'\. Known: .*rsp_pair_loading_decord"):
        run.modules_for("rsp")


@pytest.mark.parametrize("module", run.BENCHMARKS)
def test_every_benchmark_can_be_run(module: str) -> None:
    assert callable(import_module(module).run)


def test_results_name_only_existing_benchmarks() -> None:
    kept = json.loads(run.RESULTS.read_text())
    assert kept.keys() <= {name for names in run.BENCHMARKS.values() for name in names}
    for entry in kept.values():
        assert entry.keys() - Result.__optional_keys__ == Result.__required_keys__
        assert entry["ratio"] > 0 and entry["how"]


def test_a_peer_that_is_ahead_has_a_written_reason() -> None:
    for name, entry in json.loads(run.RESULTS.read_text()).items():
        if entry.get("peer_ratio", 1) < 1:
            assert entry.get("reason"), f"{name}: {entry['peer']} is faster, and nothing says why"
        if "peer" in entry:
            assert entry["peer_how"], name


def test_peers_and_what_is_not_on_this_machine_are_in_the_table() -> None:
    behind = result(2.0)
    behind.update(peer="scipy 1.17", peer_ratio=0.5, peer_how="`eigh`", reason="it is compiled")
    lines = run.table(
        {"a": behind, "b": Result(**result(3.0), peer="x", peer_how="x is not installed")}, ["c"]
    )
    assert lines.splitlines()[1:] == [
        "a                               2.00         1.5           3  seconds",
        "  peer                          0.50  scipy 1.17: `eigh`",
        "                                    because it is compiled",
        "b                               3.00         1.5         4.5  seconds",
        "  peer                                x: x is not installed",
        "c                            not on this CPU",
    ]


def test_merging_keeps_other_results_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    run.merge({"a": result(1.0), "b": result(2.0)}, path)
    run.merge({"b": result(4.0)}, path)
    assert json.loads(path.read_text()) == {"a": result(1.0), "b": result(4.0)}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "names"), [([], ["quick_a", "slow_a"]), (["--only", "slow"], ["slow_a"])]
)
def test_command_keeps_and_prints_the_results(
    fake: Path,
    arguments: list[str],
    names: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", *arguments])
    run.main()
    kept = json.loads(fake.read_text())
    assert list(kept) == names
    assert all(re.match(r"\d+ cores, \w+", entry["machine"]) for entry in kept.values())
    table = capsys.readouterr().out.splitlines()[-len(names) :]
    assert [line.split()[0] for line in table] == names
    assert table[-1].split()[1:] == ["3.00", "1.5", "4.5", "seconds"]


def test_results_of_finished_benchmarks_survive_the_failure_of_a_later_one(
    fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("no such machine")

    monkeypatch.setattr(sys.modules["benchmarks.slow"], "run", fail)
    monkeypatch.setattr(sys, "argv", ["run"])
    with pytest.raises(RuntimeError, match="no such machine"):
        run.main()
    assert list(json.loads(fake.read_text())) == ["quick_a"]
