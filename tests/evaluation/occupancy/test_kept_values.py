from pathlib import Path

import pandas as pd
import pytest

from tests.evaluation.occupancy.test_scores import make_values
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.occupancy.config import OccupancyEvaluationConfig
from vidrep_pipelines.evaluation.occupancy.kept_values import KeptValues

CONFIG = OccupancyEvaluationConfig()


def test_values_are_found_again(tmp_path: Path) -> None:
    values = make_values()
    kept = KeptValues(tmp_path, "model", "tokens", CONFIG)
    assert kept.load() is None
    kept.save(values)
    more = CONFIG.model_copy(update={"resamples": 7, "confidence": 0.5})
    found = KeptValues(tmp_path, "model", "tokens", more).load()
    assert found is not None
    pd.testing.assert_frame_equal(found, values)


@pytest.mark.parametrize(
    ("model", "tokens", "changes"),
    [("other", "tokens", {}), ("model", "other", {}), ("model", "tokens", {"samples": 3})],
)
def test_what_matters_has_a_place_of_its_own(
    model: str, tokens: str, changes: dict[str, int], tmp_path: Path
) -> None:
    KeptValues(tmp_path, "model", "tokens", CONFIG).save(make_values())
    assert KeptValues(tmp_path, model, tokens, CONFIG.model_copy(update=changes)).load() is None


def test_damage_is_named(tmp_path: Path) -> None:
    kept = KeptValues(tmp_path, "model", "tokens", CONFIG)
    kept.save(make_values())
    (file,) = tmp_path.glob("*.parquet")
    file.write_bytes(b"no table")
    with pytest.raises(InputError, match="delete it"):
        kept.load()
