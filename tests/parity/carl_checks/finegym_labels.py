"""Labels of FineGym's events against recorded ones."""

import json

import numpy as np

from tests.parity.discovery import Case
from vidrep_pipelines.data.sources.long_videos.finegym import (
    events_of_splits,
    label_frames,
    read_annotation,
    read_elements,
)

_MOST_CLASSES = 288


def check_frame_labels(case: Case) -> None:
    expected = {row["name"]: row for row in json.loads((case.folder / "expected.json").read_text())}
    annotation = read_annotation(case.folder / "annotation.json")
    elements = read_elements(case.folder / "elements.txt", _MOST_CLASSES)
    chosen, _ = events_of_splits(annotation, {"train": elements}, additional=False)
    events = {event.name: event for _, event in chosen}
    assert list(events) == sorted(expected)
    for name, row in expected.items():
        event = events[name]
        assert (event.start, event.end) == (row["trim_start_s"], row["trim_end_s"])
        assert event.kind == row["event_label"]
        labels = label_frames(event.elements(elements), row["fps"], row["seq_len"])
        np.testing.assert_array_equal(labels, row["frame_label"], name)


FINEGYM_LABEL_CHECKS = (check_frame_labels,)
