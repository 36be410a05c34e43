import numpy as np
import pytest

from vidrep_pipelines.data.sample_world.materials import (
    COLORS,
    TABLES,
    TableKind,
    colored,
    noise,
    table_top,
)


@pytest.mark.parametrize("kind", TABLES)
def test_every_table_is_textured(kind: TableKind) -> None:
    surface = table_top(kind, np.random.default_rng(0), 128)
    assert surface.shape == (128, 128, 3)
    assert surface.min() >= 0 and surface.max() <= 1
    assert surface.std(axis=(0, 1)).min() > 0.02
    np.testing.assert_array_equal(surface, table_top(kind, np.random.default_rng(0), 128))


def test_noise_has_unit_spread() -> None:
    field = noise(np.random.default_rng(1), 40, 60, (4, 6))
    assert field.shape == (40, 60)
    assert field.std() == pytest.approx(1, abs=0.01)


def test_a_print_has_the_color_and_keeps_the_picture() -> None:
    picture = np.random.default_rng(2).random((16, 16, 3))
    red = colored(picture, np.array(COLORS["red"]))
    assert red[..., 0].mean() > 2 * red[..., 2].mean()
    assert np.corrcoef(picture.mean(-1).ravel(), red.mean(-1).ravel())[0, 1] > 0.8
