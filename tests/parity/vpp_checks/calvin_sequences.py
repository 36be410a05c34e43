"""CALVIN's sequences and the scenes that they begin with: exact."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from vidrep_pipelines.evaluation.calvin.initial_scene import initial_observations
from vidrep_pipelines.evaluation.calvin.sequences import task_sequences

MOST_AT_ONCE = 200
"""Drawing more sequences takes long."""
_DIGEST = "sha256_of_compact_sorted_json"


def is_long(record: Path) -> bool:
    """Whether checking a record takes more than some seconds."""
    return record.suffix == ".json" and _read(record)["num_sequences"] > MOST_AT_ONCE


def _read(record: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(record.read_text())
    return content


def check_sequences(record: Path) -> None:
    """All sequences, or the first of them and the digest of all."""
    expected = _read(record)
    found = [sequence.plain() for sequence in task_sequences(expected["num_sequences"])]
    assert len(found) == expected["num_sequences"]
    assert {"all", "first"} & expected.keys()
    if "all" in expected:
        assert found == expected["all"]
    if "first" in expected:
        assert found[: len(expected["first"])] == expected["first"]
        text = json.dumps(found, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() == expected[_DIGEST]


def check_initial_scenes(record: Path) -> None:
    """Robot and scene at the start of the sequences that stand in the record beside it."""
    head = record.stem.rpartition("_")[2]
    [beside] = record.parent.glob(f"sequences_*_{head}.json")
    states = [state for state, _ in _read(beside)["first"]]
    with np.load(record) as expected:
        found = [initial_observations(state) for state in states]
        for place, name in enumerate(("robot_obs", "scene_obs")):
            np.testing.assert_array_equal(np.stack([both[place] for both in found]), expected[name])
