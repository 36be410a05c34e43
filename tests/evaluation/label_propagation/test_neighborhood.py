import torch
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.neighborhood import blocks, window

SIDES = st.integers(1, 7)
VARIANTS = st.sampled_from(["dino", "videowalk"])
RADII = st.one_of(st.integers(-1, 8), st.floats(0.5, 8))


@given(SIDES, SIDES, RADII, VARIANTS)
def test_the_window_is_what_its_definition_says(height, width, radius, variant):
    found = window(height, width, radius, variant).reshape(height, width, height, width)
    for row, column, other_row, other_column in torch.cartesian_prod(
        *(torch.arange(side) for side in (height, width, height, width))
    ).reshape(-1, 4).tolist():  # fmt: skip
        down, right = other_row - row, other_column - column
        near = max(abs(down), abs(right)) <= radius
        if variant == "videowalk":
            near = (down**2 + right**2) ** 0.5 < radius
        assert bool(found[row, column, other_row, other_column]) == (near or radius <= 0)


@given(SIDES, SIDES, RADII, VARIANTS, st.integers(1, 4))
def test_blocks_are_the_window_in_pieces(lines, length, radius, variant, lines_per_block):
    config = PropagationConfig(variant=variant, radius=radius)
    whole = torch.zeros(lines * length, lines * length, dtype=torch.bool)
    covered = torch.zeros(lines * length, dtype=torch.int)
    for block in blocks(lines, length, lines_per_block, config, torch.device("cpu")):
        outside = block.outside
        whole[block.targets, block.sources] = True if outside is None else ~outside
        covered[block.targets] += 1
    assert torch.equal(whole, window(lines, length, radius, variant))
    assert (covered == 1).all()


def test_a_narrow_window_leaves_most_sources_out():
    config = PropagationConfig(radius=2)
    first, *_ = blocks(50, 10, 1, config, torch.device("cpu"))
    assert first.sources == slice(0, 30)
