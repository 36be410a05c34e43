import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.digest import differences, digest_of, plain

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Config(FrozenConfig):
    rate: float = 0.5
    sizes: tuple[int, ...] = (1, 2)


@dataclasses.dataclass
class Record:
    path: Path
    config: Config


def test_known_value() -> None:
    """Stored digests stay valid only while this does not change."""
    assert digest_of({"b": 1, "a": [None, True, "é"]}, 0.5) == "875c2a85c82974e8"


def test_same_in_another_process() -> None:
    code = "from vidrep_pipelines.common.digest import digest_of; print(digest_of({'x': 1, 'y': 2}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "123"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == digest_of({"y": 2, "x": 1})


@given(value=JSON)
def test_depends_on_content_only(value: object) -> None:
    assert plain(value) == value
    assert digest_of(value) == digest_of(plain(value))
    assert digest_of(value) != digest_of([value])
    assert differences(value, value) == []


def test_plain_knows_the_usual_types() -> None:
    record = Record(Path("a/b"), Config())
    expected = {"path": "a/b", "config": {"rate": 0.5, "sizes": [1, 2]}}
    assert plain(record) == expected
    assert digest_of(record) == digest_of(expected)
    assert digest_of(np.float64(0.5), np.int8(3)) == digest_of(0.5, 3)
    assert plain({1: (2, np.bool_(True))}) == {"1": [2, True]}


def test_what_is_not_data_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        digest_of(object())


def test_differences_name_the_fields() -> None:
    old = {"train": {"seed": 0, "steps": 5}, "gone": 1}
    new = {"train": {"seed": 1, "steps": 5}, "sizes": [1]}
    assert differences(old, new) == [
        "gone: 1 -> (absent)",
        "sizes: (absent) -> [1]",
        "train.seed: 0 -> 1",
    ]
    assert differences(Config(), Config(rate=1.0)) == ["rate: 0.5 -> 1.0"]
