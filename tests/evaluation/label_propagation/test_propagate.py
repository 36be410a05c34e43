import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from tests.evaluation.label_propagation.propagation_oracle import propagate_slowly
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.errors import FeatureError
from vidrep_pipelines.evaluation.label_propagation.propagate import memory_bytes, propagate

VARIANTS = ["dino", "videowalk", "dinov3"]


def labels_on(height, width, channels=3, seed=0):
    drawn = torch.randint(channels, (height, width), generator=torch.Generator().manual_seed(seed))
    return F.one_hot(drawn, channels).permute(2, 0, 1).float()


def random_video(frames, height, width, dimension=4, seed=0):
    return torch.randn(frames, dimension, height, width, generator=torch.Generator().manual_seed(seed))


CONFIGS = st.builds(
    PropagationConfig,
    variant=st.sampled_from(VARIANTS),
    top_k=st.integers(1, 9),
    radius=st.integers(0, 4),
    context_frames=st.integers(1, 3),
    temperature=st.sampled_from([0.05, 0.1, 0.7]),
    block_bytes=st.sampled_from([1, 600, 2**20]),
)


@settings(deadline=None, max_examples=60)
@given(CONFIGS, st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**31))
def test_labels_are_those_of_the_slow_form(config, height, width, frames, seed):
    features, first = random_video(frames, height, width, seed=seed), labels_on(height, width, seed=seed)
    found = torch.stack(list(propagate(features, first, config)))
    torch.testing.assert_close(found.double(), propagate_slowly(features, first, config), atol=2e-5, rtol=0)


@settings(deadline=None, max_examples=60)
@given(
    CONFIGS.filter(lambda config: config.variant != "videowalk"),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(2, 5),
    st.integers(0, 2**31),
)
def test_all_sources_as_similar_as_the_last_kept_one_count(config, height, width, frames, seed):
    kinds = torch.randint(3, (frames, height, width), generator=torch.Generator().manual_seed(seed))
    features, first = F.one_hot(kinds, 3).permute(0, 3, 1, 2).float(), labels_on(height, width, seed=seed)
    found = torch.stack(list(propagate(features, first, config)))
    torch.testing.assert_close(found.double(), propagate_slowly(features, first, config), atol=2e-5, rtol=0)


@settings(deadline=None, max_examples=30)
@given(CONFIGS, st.integers(1, 4), st.integers(1, 5), st.sampled_from(["fp32", "bf16"]))
def test_labels_of_a_cell_sum_to_one(config, height, width, precision):
    config = config.model_copy(update={"precision": precision})
    constant = torch.ones(4, 6, height, width)
    for soft in propagate(constant, labels_on(height, width), config):
        torch.testing.assert_close(soft.sum(dim=0), torch.ones(height, width))


@pytest.mark.parametrize("variant", VARIANTS)
def test_bfloat16_stays_near_float32(variant):
    scene = random_video(1, 6, 9, dimension=32)
    features = scene + 0.3 * random_video(6, 6, 9, dimension=32, seed=1)
    config = PropagationConfig(variant=variant, radius=5, context_frames=3)
    exact = torch.stack(list(propagate(features, labels_on(6, 9), config)))
    rough = torch.stack(
        list(propagate(features, labels_on(6, 9), config.model_copy(update={"precision": "bf16"})))
    )
    assert (exact - rough).abs().mean() < 0.01
    assert rough.dtype == torch.float32


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_scene_that_moves_takes_its_labels_along(variant):
    scene, labels = random_video(1, 6, 20, dimension=16)[0], labels_on(6, 20)
    moved = torch.stack([scene.roll(frame, dims=2) for frame in range(5)])
    config = PropagationConfig(variant=variant, top_k=1, radius=3, context_frames=2)
    for frame, soft in enumerate(propagate(moved, labels, config)):
        expected = labels.roll(frame, dims=2)
        assert torch.equal(soft[:, :, 5:].argmax(dim=0), expected[:, :, 5:].argmax(dim=0))


def test_a_video_of_one_frame_has_the_given_labels():
    first = labels_on(3, 4)
    (only,) = propagate(random_video(1, 3, 4), first, PropagationConfig())
    assert torch.equal(only, first)


def test_no_frame_no_labels():
    assert list(propagate([], labels_on(3, 4), PropagationConfig())) == []


def test_only_what_may_still_be_needed_is_kept():
    alive = weakref.WeakSet()

    def stream():
        for frame in range(12):
            features = random_video(1, 4, 5, seed=frame)[0]
            alive.add(features)
            yield features

    config = PropagationConfig(context_frames=2)
    most = max(len(alive) for _ in propagate(stream(), labels_on(4, 5), config))
    assert most <= 2


MEASURED = """
import re, sys, torch
from pathlib import Path
from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.propagate import memory_bytes, propagate
torch.set_num_threads(1)
def status(field):
    return int(re.search(field + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
config = PropagationConfig(context_frames=9, radius=0, block_bytes=2**23)
def run(frames, side):
    first = torch.rand(3, side, side)
    for _ in propagate((torch.randn(64, side, side) for _ in range(frames)), first, config):
        pass
run(3, 4)
before = status("VmRSS")
run(14, 48)
print(status("VmHWM") - before, memory_bytes(config, 48, 48, 64, 3))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account of memory")
def test_memory_stays_within_what_is_stated():
    run = subprocess.run([sys.executable, "-c", MEASURED], check=True, capture_output=True, text=True)
    measured, stated = (int(part) for part in run.stdout.split())
    of_the_library = 12 * 2**20
    assert measured <= stated + of_the_library
    assert stated + of_the_library < 10 * 48**4 * 4  # the affinity to ten frames, once


def test_stated_memory_grows_with_the_context_but_blocks_do_not():
    few, many = (PropagationConfig(context_frames=frames) for frames in (10, 30))
    stored = 20 * 30 * 52 * 4 * (384 + 4)
    difference = memory_bytes(many, 30, 52, 384, 4) - memory_bytes(few, 30, 52, 384, 4)
    assert abs(difference - stored) < 2 * few.block_bytes


def test_features_that_are_not_numbers_name_the_frame():
    features = random_video(4, 3, 4)
    features[2, 0, 1, 1] = float("nan")
    with pytest.raises(FeatureError, match="frame 2"):
        list(propagate(features, labels_on(3, 4), PropagationConfig()))


def test_a_frame_of_another_size_is_named():
    features = [random_video(1, 3, 4)[0], random_video(1, 3, 5)[0]]
    with pytest.raises(FeatureError, match="Frame 1"):
        list(propagate(features, labels_on(3, 4), PropagationConfig()))


def test_labels_on_another_grid_are_refused():
    with pytest.raises(InputError, match="first_labels"):
        next(propagate(random_video(1, 3, 4), labels_on(4, 3), PropagationConfig()))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_gives_the_same_labels(variant, precision):
    scene = random_video(1, 6, 9, dimension=32)
    features = scene + 0.3 * random_video(6, 6, 9, dimension=32, seed=1)
    config = PropagationConfig(variant=variant, radius=5, context_frames=3, precision=precision)
    expected = torch.stack(list(propagate(features, labels_on(6, 9), config)))
    found = torch.stack(list(propagate(features.cuda(), labels_on(6, 9), config))).cpu()
    tolerance = 1e-4 if precision == "fp32" else 1e-2
    assert (found - expected).abs().mean() < tolerance
