from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.fanout.jobs import value_job
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.manifest import rows_to_table
from vidrep_pipelines.fanout.plan import make_plan

NAMES = ["a", "b", "c/d", "c/e"]
RECORDS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["ok", "failed"]), st.sampled_from(["new", "old"])),
    max_size=8,
)


def _row(name: str, status: str, digest: str) -> dict[str, object]:
    fixed = {
        "id": name,
        "status": status,
        "error": None,
        "seconds": 0.0,
        "bytes": 0,
        "digest": digest,
        "attempts": 1,
    }
    return {**fixed, "facts": {}}


def _job(names: list[str]) -> Job:
    return replace(value_job([]), items=[Item(name, None, "new") for name in names], suffixes=())


@given(records=RECORDS, names=st.lists(st.sampled_from(NAMES), unique=True), retry=st.booleans())
def test_against_the_rule_written_out(
    records: list[tuple[str, str, str]], names: list[str], retry: bool
) -> None:
    counting: dict[str, tuple[str, str]] = {}
    for name, status, digest in records:
        if status == "ok" or counting.get(name, ("failed", ""))[0] == "failed":
            counting[name] = (status, digest)
    finished = [
        name
        for name in names
        if name in counting and counting[name][1] == "new" and not (retry and counting[name][0] == "failed")
    ]
    plan = make_plan(_job(names), rows_to_table(_row(*record) for record in records), Path("nowhere"), retry)
    assert plan.finished["id"].to_pylist() == finished
    assert [names[position] for position in plan.pending] == [name for name in names if name not in finished]
    assert plan.out_of_date == sum(counting[name][1] == "old" for name in names if name in counting)
    assert plan.dropped == len(set(counting) - set(names))


def test_each_folder_is_listed_once(tmp_path: Path, monkeypatch: object) -> None:
    names = [f"{folder}/{number}" for folder in "ab" for number in range(50)]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.txt").touch()
    listed: list[str] = []
    import vidrep_pipelines.fanout.plan as plan_module

    real = plan_module._sizes

    def counted(directory: Path) -> dict[str, int]:
        listed.append(directory.name)
        return real(directory)

    monkeypatch.setattr(plan_module, "_sizes", counted)  # type: ignore[attr-defined]
    job = replace(_job(names), suffixes=(".txt",))
    plan = make_plan(job, rows_to_table(_row(name, "ok", "new") for name in names), tmp_path, False)
    assert plan.pending == []
    assert sorted(listed) == ["a", "b"]
