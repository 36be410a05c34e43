"""``eval_davis`` and its sisters on releases as people have them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from tests.helpers.evaluation import TINY_EVALUATION
from tests.helpers.label_sequences import write_release
from tests.helpers.project import load, merged, run_pipeline
from vidrep_pipelines.data.label_sequences.images import DAVIS_PALETTE
from vidrep_pipelines.data.sample_world.miniature import ReleaseName

ENCODER = {"encoders": {"use": ["pixels"]}}


def evaluate(release: ReleaseName, root: Path, data: Path, **options: Any) -> dict[str, Any]:
    """What ``eval_<release>`` says about a release, with the floor of raw pixels."""
    parameters = merged(TINY_EVALUATION, ENCODER, {release: {"root": str(root), **options}})
    run_pipeline(f"eval_{release}_standalone", data, parameters)
    metrics: dict[str, Any] = json.loads((data / f"08_reporting/{release}/eval_metrics.json").read_text())
    return metrics


def test_first_masks_only_give_what_a_server_wants_and_no_score(tmp_path: Path) -> None:
    root = write_release("davis", tmp_path / "DAVIS")
    (root / "ImageSets/2017/val.txt").rename(root / "ImageSets/2017/test-dev.txt")
    for path in (root / "Annotations/480p").glob("*/*.png"):
        if path.stem != "00000":
            path.unlink()
    prepared = {"split": "test-dev", "protocol": "rsp", "prepared": str(tmp_path / "prepared")}
    metrics = evaluate("davis", root, tmp_path / "data", **prepared)
    assert (metrics["sequences"], metrics["encoders"]) == (0, {})
    assert metrics["sequences_without_annotation"] == ["push_000", "stack_000"]
    assert metrics["sequences_left_out"] == []
    folder = tmp_path / "data/07_model_output/davis/results/pixels"
    assert [path.name for path in folder.iterdir()] == ["results"]
    for sequence in ("push_000", "stack_000"):
        frames = sorted((root / "JPEGImages/480p" / sequence).glob("*.jpg"))
        masks = sorted((folder / "results" / sequence).iterdir())
        assert [path.stem for path in masks] == [path.stem for path in frames]
        for path in masks[1:]:
            with Image.open(path) as mask:
                assert (mask.mode, mask.size) == ("P", (64, 48)), "as large as the published masks"
                assert tuple(mask.getpalette() or ()) == DAVIS_PALETTE
                assert np.asarray(mask).any()
    assert pd.read_parquet(tmp_path / "data/08_reporting/davis/summary.parquet").empty
    assert load("davis.best_film", tmp_path / "data").shape[0] >= 16


def test_a_moved_data_root_with_its_miniature_is_read_where_it_is(tmp_path: Path) -> None:
    """All is up to date there, and nothing is looked for in the former place."""
    former, present = tmp_path / "former", tmp_path / "present"
    run_pipeline("ingest_jhmdb", former, TINY_EVALUATION)
    shutil.copytree(former, present)  # with the times
    shutil.rmtree(former)
    run_pipeline("ingest_jhmdb", present, TINY_EVALUATION)
    table = pd.read_parquet(present / "05_model_input/jhmdb_sequences.parquet")
    assert table["error"].isna().all()
    for column in ("frame_folder", "label_path"):
        assert all(Path(path).is_relative_to(present) for path in table[column])
    assert not former.exists()
