from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.run_facts import RunFacts, data_digest, names_of_data


def test_the_digest_is_that_of_the_data() -> None:
    sequences = pd.DataFrame({"id": ["a"], "digest": ["1"]})
    store = SimpleNamespace(content_digest="of the store")
    assert data_digest({"scores": store, "sequences": sequences}) == digest_of(["a"], ["1"])
    assert data_digest({"spec": {"data_digest": "planned"}, "store": store}) == "of the store"
    assert data_digest({"spec": {"x": 1}, "plan": {"data_digest": "planned"}}) == "planned"
    assert data_digest({"spec": {"x": 1}}) == ""


def test_the_names_are_those_of_the_data() -> None:
    assert names_of_data({"x": 1, "sequences": pd.DataFrame({"id": ["a", "b"], "digest": ["1", "2"]})}) == [
        "a",
        "b",
    ]
    assert names_of_data({"x": 1, "other": pd.DataFrame({"id": ["a"]})}) == []


def test_commit_and_environment_are_said(project_root: Path, tmp_path: Path) -> None:
    facts = RunFacts.of(project_root, "laptop")
    assert facts.commit.startswith("commit ") and "environment laptop" in str(facts)
    assert {"python", "torch", "kedro"} <= set(facts.versions)
    elsewhere = RunFacts.of(tmp_path, "laptop")
    assert elsewhere.commit == "" and str(elsewhere).startswith("environment laptop, ")
