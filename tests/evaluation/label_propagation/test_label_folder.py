import numpy as np
import pytest
from PIL import Image

from vidrep_pipelines.data.label_sequences.images import write_labels
from vidrep_pipelines.evaluation.label_propagation.errors import LabelImageError
from vidrep_pipelines.evaluation.label_propagation.label_folder import PALETTE, read_label_image


def labels_of_all_kinds():
    return np.arange(256, dtype=np.uint8).reshape(8, 32)


def test_labels_survive_and_the_file_is_an_index_image(tmp_path):
    write_labels(tmp_path / "a.png", labels_of_all_kinds())
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
        assert image.getpalette()[: 3 * 256] == PALETTE.reshape(-1).tolist()
    np.testing.assert_array_equal(read_label_image(tmp_path / "a.png"), labels_of_all_kinds())


def test_the_palette_is_that_of_davis():
    assert PALETTE.shape == (256, 3)
    assert PALETTE[[1, 9, 21, 22, 255]].tolist() == [
        [128, 0, 0], [191, 0, 0], [128, 64, 128], [22, 22, 22], [255, 255, 255]
    ]  # fmt: skip


def test_gray_and_two_tone_images_hold_labels(tmp_path):
    Image.fromarray(labels_of_all_kinds()).save(tmp_path / "gray.png")
    np.testing.assert_array_equal(read_label_image(tmp_path / "gray.png"), labels_of_all_kinds())
    Image.fromarray(labels_of_all_kinds() > 9).save(tmp_path / "two.png")
    assert set(np.unique(read_label_image(tmp_path / "two.png"))) == {0, 1}


def test_colors_of_the_palette_are_understood(tmp_path):
    labels = labels_of_all_kinds()[:, :20] % 23
    Image.fromarray(PALETTE[labels]).save(tmp_path / "color.png")
    np.testing.assert_array_equal(read_label_image(tmp_path / "color.png"), labels)


def test_other_colors_name_the_file_and_the_color(tmp_path):
    colors = PALETTE[labels_of_all_kinds() % 3]
    colors[0, 0] = (1, 2, 3)
    Image.fromarray(colors).save(tmp_path / "wrong.png")
    with pytest.raises(LabelImageError, match=r"wrong\.png.*\(1, 2, 3\).*palette"):
        read_label_image(tmp_path / "wrong.png")


def test_what_holds_no_labels_is_refused(tmp_path):
    Image.new("RGBA", (3, 3)).save(tmp_path / "alpha.png")
    with pytest.raises(LabelImageError, match=r"alpha\.png.*RGBA"):
        read_label_image(tmp_path / "alpha.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(LabelImageError, match=r"text\.png"):
        read_label_image(tmp_path / "text.png")
    with pytest.raises(LabelImageError, match=r"absent\.png"):
        read_label_image(tmp_path / "absent.png")
