"""TFRecord files of the published layout, against what was written to them."""

import json

import numpy as np

from tests.parity.discovery import Case
from vidrep_pipelines.data.sources.long_videos.pouring import (
    decoded,
    record_frames,
    record_labels,
    record_name,
)
from vidrep_pipelines.data.sources.long_videos.sequence_example import parse_sequence_example
from vidrep_pipelines.data.sources.long_videos.tfrecord import scan_records

_DECODERS_DIFFER_BY = 2


def check_records(case: Case) -> None:
    expected = json.loads((case.folder / "expected.json").read_text())["records_in_order"]
    with np.load(case.folder / "expected.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    found = [
        (path.name, parse_sequence_example(payload))
        for path in sorted(case.folder.glob("*.tfrecord"))
        for place, payload in scan_records(path)
        if not place.error
    ]
    assert len(found) == len(expected)
    for (file_name, example), record in zip(found, expected, strict=True):
        name = record_name(example)
        assert (file_name, name) == (record["file"], record["name"])
        assert example.context["len"] == [record["seq_len"]]
        assert example.context["label"] == [record["label"]]
        frames = np.stack(list(decoded(record_frames(example)))).astype(int)
        assert len(frames) == record["seq_len"]
        assert np.abs(frames - arrays[f"{name}/frames"]).max() <= _DECODERS_DIFFER_BY
        np.testing.assert_array_equal(record_labels(example, len(frames)), arrays[f"{name}/frame_labels"])


TFRECORD_CHECKS = (check_records,)
