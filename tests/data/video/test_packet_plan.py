from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.data.video.packet_index import FileStamp, PacketIndex
from vidrep_pipelines.data.video.packet_plan import plan_runs


def make_index(times, keyframes, droppable=(), discarded=()):
    count = len(times)
    return PacketIndex(
        codec="h264",
        extradata=b"",
        width=4,
        height=4,
        rotation=0,
        time_base=Fraction(1, 25),
        frames_per_second=25,
        offsets=np.arange(count) * 10,
        sizes=np.full(count, 10),
        times=np.array(times),
        keyframes=np.isin(np.arange(count), keyframes),
        droppable=np.isin(np.arange(count), droppable),
        discarded=np.isin(np.arange(count), discarded),
        source_seconds=None,
        stamp=FileStamp(0, 0, ""),
    )


def test_runs_start_at_keyframes_and_end_at_targets():
    index = make_index(range(30), [0, 10, 20])
    (run,) = plan_runs(index, [13])
    assert run.packets == (10, 11, 12, 13)
    assert run.targets == {13}
    assert [run.packets for run in plan_runs(index, [2, 21])] == [(0, 1, 2), (20, 21)]


def test_frames_of_one_group_share_a_run():
    index = make_index(range(30), [0, 10, 20])
    (run,) = plan_runs(index, [12, 15])
    assert run.packets == tuple(range(10, 16))
    assert run.targets == {12, 15}


def test_unwanted_b_frames_are_left_out():
    index = make_index([0, 3, 1, 2, 6, 4, 5], [0], droppable=[2, 3, 5, 6])
    (run,) = plan_runs(index, [6])
    assert run.packets == (0, 1, 4)
    (run,) = plan_runs(index, [2])
    assert run.packets == (0, 1, 3)


def test_leading_frames_start_from_the_group_before():
    index = make_index([0, 2, 1, 5, 3, 4, 6], keyframes=[0, 3])  # 3 and 4 are stored after keyframe 5
    (run,) = plan_runs(index, [4])
    assert run.packets == (0, 1, 2, 3, 4, 5)
    (run,) = plan_runs(index, [6])
    assert run.packets == (3, 4, 5, 6)


def test_without_a_keyframe_before_it_decoding_starts_at_the_beginning():
    index = make_index(range(20), keyframes=[10])
    assert [run.packets for run in plan_runs(index, [2, 11])] == [(0, 1, 2), (10, 11)]
    index = make_index([3, 1, 2, 4], keyframes=[0])  # 1 and 2 are shown before the only keyframe
    (run,) = plan_runs(index, [0])
    assert run.packets == (0, 1)


def test_the_second_field_completes_the_frame():
    """Packets 1, 3 and 5 are second fields: no frame comes out for them alone."""
    index = make_index([0, 0, 2, 2, 1, 1, 3], [0], droppable=[4, 5], discarded=[1, 3, 5])
    assert index.presented.tolist() == [0, 4, 2, 6]
    assert [run.packets for run in plan_runs(index, [0])] == [(0, 1)]
    assert [run.packets for run in plan_runs(index, [1])] == [(0, 1, 2, 3, 4, 5)]
    assert [run.packets for run in plan_runs(index, [2])] == [(0, 1, 2, 3)]
    assert [run.packets for run in plan_runs(index, [3])] == [(0, 1, 2, 3, 6)]


@given(st.integers(1, 60), st.integers(1, 20), st.data())
def test_every_wanted_frame_is_planned_once_with_all_it_needs(count, interval, data):
    index = make_index(range(count), range(0, count, interval))
    ranks = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1)))
    runs = plan_runs(index, ranks)
    assert sorted(target for run in runs for target in run.targets) == ranks
    packets = [packet for run in runs for packet in run.packets]
    assert packets == sorted(set(packets))
    for rank in ranks:
        assert set(range(rank // interval * interval, rank + 1)) <= set(packets)
