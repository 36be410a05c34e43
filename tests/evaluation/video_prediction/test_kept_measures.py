from pathlib import Path

import pandas as pd
import pytest

from tests.evaluation.video_prediction.test_measurement import CONFIG, measured
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.video_prediction.kept_measures import KeptVideoMeasures


def test_measures_are_kept_by_what_they_depend_on(tmp_path: Path) -> None:
    place = KeptVideoMeasures.of(tmp_path, "model", "clips", CONFIG)
    assert place.load() is None
    measures = measured(perfect=False)
    place.save(measures)
    same = CONFIG.model_copy(update={"batch_size": 1, "static_below": 0.5})
    loaded = KeptVideoMeasures.of(tmp_path, "model", "clips", same).load()
    assert loaded is not None and loaded.skipped == measures.skipped
    pd.testing.assert_frame_equal(loaded.values, measures.values)
    assert loaded.distances.empty and list(loaded.distances) == list(measures.distances)
    others = [("x", "clips", CONFIG), ("model", "x", CONFIG)]
    others.append(("model", "clips", CONFIG.model_copy(update={"seeds": (0,)})))
    assert [KeptVideoMeasures.of(tmp_path, *key).load() for key in others] == [None] * 3
    (place.folder / "motion.parquet").write_text("")
    with pytest.raises(InputError, match="is damaged"):
        place.load()
