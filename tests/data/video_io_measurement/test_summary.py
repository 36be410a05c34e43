import pandas as pd
import pytest

from vidrep_pipelines.data.video_io_measurement.config import EncodingChoice, MeasureVideoIoConfig
from vidrep_pipelines.data.video_io_measurement.summary import measurement_report, summarize

CONFIG = MeasureVideoIoConfig(
    encodings=(
        EncodingChoice(name="usual", profile="published"),
        EncodingChoice(name="ours", profile="train", keyframe_interval=9, b_frames=0),
    )
)
ENCODED = pd.DataFrame(
    {
        "usual.bytes": [1000, 3000],
        "usual.psnr": [40.0, 42.0],
        "usual.encode_seconds": [1.0, 2.0],
        "ours.bytes": [2000, 3000],
        "ours.psnr": [39.0, 40.0],
        "ours.encode_seconds": [0.5, 0.5],
    }
)


def times(readers: dict[str, dict[str, list[float]]]) -> pd.DataFrame:
    rows = [
        {"encoding": encoding, "access": "pair", "reader": reader, "milliseconds": value, "decoded": 10}
        for encoding, by_reader in readers.items()
        for reader, values in by_reader.items()
        for value in values
    ]
    rows += [
        {"encoding": encoding, "access": "sequential", "reader": "pyav", "milliseconds": value, "decoded": 1}
        for encoding in readers
        for value in (0.1, 0.2, 9.0)
    ]
    return pd.DataFrame(rows)


def test_one_row_per_encoding() -> None:
    readings = {
        "usual": {"decord": [30.0, 40.0, 900.0], "pyav": [20.0], "index": [16.0]},
        "ours": {"decord": [8.0], "pyav": [5.0], "index": [1.0, 2.0, 90.0]},
    }
    summary = summarize(ENCODED, times(readings), CONFIG).set_index("encoding")
    assert summary.index.tolist() == ["usual", "ours"]
    ours = summary.loc["ours"]
    assert (ours["profile"], ours["keyframe_interval"], ours["b_frames"]) == ("train", 9, 0)
    assert (ours["kilobytes"], ours["relative_bytes"]) == (2.5, 1.25)
    assert (ours["psnr"], ours["encode_seconds"], ours["sequential_ms"]) == (39.5, 0.5, 0.2)
    assert (ours["decord_ms"], ours["pyav_ms"], ours["index_ms"]) == (8.0, 5.0, 2.0)
    assert ours["decoded_frames"] == 10
    assert summary["speedup"].tolist() == [40.0 / 16.0, 40.0 / 2.0]


def test_without_decord_pyav_is_the_usual_reader() -> None:
    readings = {"usual": {"pyav": [20.0], "index": [16.0]}, "ours": {"pyav": [5.0], "index": [2.0]}}
    summary = summarize(ENCODED, times(readings), CONFIG)
    assert summary["decord_ms"].isna().all()
    assert summary["speedup"].tolist() == pytest.approx([20 / 16, 10])


def test_the_report_says_what_was_measured() -> None:
    readings = {"usual": {"pyav": [20.0], "index": [16.0]}, "ours": {"pyav": [5.0], "index": [2.0]}}
    clips = pd.DataFrame({"id": ["a", "b"], "frames": [10, 20]})
    summary = summarize(ENCODED, times(readings), CONFIG)
    report = measurement_report(summary, clips, {"c": "broken"}, CONFIG, 64)
    assert (report["clips"], report["left_out"], report["short_side"]) == (["a", "b"], {"c": "broken"}, 64)
    assert (report["frames_per_clip"], report["pairs_per_cell"]) == (15.0, 2 * CONFIG.pairs)
    assert [row["decord_ms"] for row in report["encodings"]] == [None, None]
