"""DAVIS, JHMDB and VIP as people have them through ``ingest_<release>`` and ``eval_<release>``."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.cases.inputs import STOPPED, make
from tests.helpers.evaluation import TINY_EVALUATION
from tests.helpers.project import merged, run_pipeline

_PARAMETERS = merged(TINY_EVALUATION, {"encoders": {"use": ["pixels"]}})
_RESULTS = "07_model_output/davis/results/pixels"


def sequences(release: str, root: Path, work: Path) -> pd.DataFrame:
    """The table of sequences that ``ingest_<release>`` writes."""
    run_pipeline(f"ingest_{release}", work, merged(_PARAMETERS, {release: {"root": str(root)}}))
    return pd.read_parquet(work / f"05_model_input/{release}_sequences.parquet").set_index("id")


def evaluate(release: str, root: Path, work: Path) -> dict[str, Any]:
    """What ``eval_<release>`` says about raw pixels."""
    run_pipeline(f"eval_{release}_standalone", work, merged(_PARAMETERS, {release: {"root": str(root)}}))
    metrics: dict[str, Any] = json.loads((work / f"08_reporting/{release}/eval_metrics.json").read_text())
    return metrics


def davis_variants(root: Path, work: Path) -> None:
    """Scores of objects with any numbers, of DAVIS-2016's masks, and results without an annotation."""
    make("davis_variants", root)
    whole = evaluate("davis", root / "whole", work / "whole")
    gaps = evaluate("davis", root / "gaps", work / "gaps")
    assert gaps["encoders"] == whole["encoders"], "numbers of objects are only names"
    members = pd.read_parquet(work / "gaps/08_reporting/davis/per_object.parquet")["name"]
    assert {"push_000_38", "push_000_75"} <= set(members)
    test = evaluate("davis", root / "test_dev", work / "test_dev")
    assert (test["sequences"], len(test["sequences_without_annotation"])) == (0, 2)
    _check_results(work / "test_dev" / _RESULTS)
    gray = evaluate("davis", root / "davis2016", work / "davis2016")
    assert gray["sequences"] == 2
    assert 0 < gray["encoders"]["pixels"]["J_and_F-Mean"] < 100
    for kind in ("later", "twobit", "void"):
        table = sequences("davis", root / kind, work / kind)
        assert table["error"].isna().all(), kind
    empty = sequences("davis", root / "nothing_first", work / "nothing_first")["error"]
    assert empty.notna().sum() == 1
    assert empty.dropna().str.contains("labels nothing").all()


def _check_results(folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == ["results"], "no table of scores"
    masks = sorted((folder / "results").rglob("*.png"))
    assert len(masks) > 30
    for path in masks:
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("P", (64, 48))


def jhmdb_mat(root: Path, work: Path) -> None:
    """Joints of other versions of MATLAB, missing joints, and the other name of the frames' folder."""
    make("jhmdb_mat", root)
    for kind in ("v73", "frames_folder"):
        assert sequences("jhmdb", root / kind, work / kind)["error"].isna().all(), kind
    with pytest.raises(STOPPED, match=r"MATLAB's version 4"):
        evaluate("jhmdb", root / "v4", work / "v4")
    for kind in ("nan", "outside"):
        metrics = evaluate("jhmdb", root / kind, work / kind)
        assert metrics["sequences"] == 2
        assert all(np.isfinite(value) for value in metrics["encoders"]["pixels"].values()), kind


def check_order(root: Path, work: Path) -> None:
    """Frames without zeros in front of their numbers are in the order of these in all three releases."""
    for release in ("davis", "jhmdb", "vip"):
        table = sequences(release, root / release, work / release)
        assert table["error"].isna().all(), release
        for folder in table["frame_folder"]:
            assert any(re.fullmatch(r"\d", path.stem) for path in Path(folder).iterdir())


def check_hidden(root: Path, work: Path) -> None:
    """Hidden files cost no sequence."""
    for release in ("davis", "jhmdb", "vip"):
        table = sequences(release, root / release, work / release)
        assert len(table) == 2
        assert table["error"].isna().all(), release
