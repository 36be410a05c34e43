"""Published lists of a policy's items, and the percentiles beside them."""

import json

import pytest
from hypothesis import example, given

from tests.fuzz.damage import damaged
from tests.fuzz.files import written
from tests.fuzz.limits import ROUND, answer_within_limits
from vidrep_pipelines.models.vpp.policy.published_items import (
    read_published_items,
    read_published_statistics,
)

pytestmark = pytest.mark.fuzz

ITEM = {
    "dataset_name": "xhand",
    "ann_file": "annotation/val/100.json",
    "episode_id": 100,
    "frame_ids": [0, 2],
}
ITEMS = json.dumps([ITEM, ITEM]).encode()
NAMES = ("state_01", "state_99", "action_01", "action_99")
RANGES = json.dumps({**{name: [0.5, 1.0] for name in NAMES}, "items": 3}).encode()


@ROUND
@given(damaged(ITEMS, RANGES))
@example(b'[{"dataset_name": "a", "ann_file": "b", "episode_id": 1e400, "frame_ids": [1e400]}]')
@example(b'{"state_01": [1e400], "state_99": [1], "action_01": [1], "action_99": [0], "items": 1e400}')
@example(b'{"state_01": 1, "state_99": {"a": 1}, "action_01": "b", "action_99": [[1]]}')
def test_lists_and_percentiles(content: bytes) -> None:
    with written(content, "train_all.json") as path:
        answer_within_limits(lambda: read_published_items(path))
        answer_within_limits(lambda: read_published_statistics(path))
