"""Fitting the linear codec, and naming a published autoencoder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.models.vpp.video.codecs import LINEAR, write_vae
from tests.models.vpp.video.frames import pattern_store
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.config import SelectionConfig
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vpp.video import codec_making
from vidrep_pipelines.models.vpp.video.codec import space_to_depth, to_pictures
from vidrep_pipelines.models.vpp.video.codec_config import CodecConfig
from vidrep_pipelines.models.vpp.video.codec_making import fit_basis, fitted_codec, make_codec


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return pattern_store(tmp_path_factory.mktemp("store"), episodes=8)


def test_the_basis_is_that_of_all_blocks_at_once(store: FrameStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of three frames give what NumPy's singular values of everything give."""
    monkeypatch.setattr(codec_making, "_FRAMES_AT_ONCE", 3)
    train = store.select("train")
    state, share = fit_basis(LINEAR.model_copy(update={"fit_frames": 10**6}), train)
    frames = torch.from_numpy(np.concatenate([train.frames(view) for view in train.ids]))
    rows = space_to_depth(to_pictures(frames), 4).movedim(1, -1).reshape(-1, 48).double().numpy()
    mean = rows.mean(0)
    _, values, vectors = np.linalg.svd(rows - mean, full_matrices=False)
    np.testing.assert_allclose(state["mean"], mean, atol=1e-5)
    np.testing.assert_allclose(state["deviation"], values[:6] / np.sqrt(len(rows)), rtol=1e-3)
    cosines = np.abs((state["basis"].numpy() * vectors[:6]).sum(1))
    np.testing.assert_allclose(cosines, 1, atol=1e-3)
    assert share == pytest.approx((values[:6] ** 2).sum() / (values**2).sum(), rel=1e-4)


def test_the_choice_of_frames_is_seeded_and_limited(store: FrameStore) -> None:
    train = store.select("train")
    few = LINEAR.model_copy(update={"fit_frames": 7})
    one, again = (list(codec_making._chosen_frames(few, train)) for _ in range(2))
    other = list(codec_making._chosen_frames(few.model_copy(update={"seed": 1}), train))
    assert sum(map(len, one)) == sum(map(len, other)) == 7
    np.testing.assert_array_equal(np.concatenate(one), np.concatenate(again))
    assert not np.array_equal(np.concatenate(one), np.concatenate(other))


def test_held_out_frames_have_no_part(store: FrameStore, tmp_path: Path) -> None:
    """The fit of the store is that of its training split."""
    parts = fitted_codec(LINEAR, store, tmp_path)
    state, _ = fit_basis(LINEAR, store.select("train"))
    loaded = load_file(parts.folder / parts.weights)
    torch.testing.assert_close(loaded["basis"], state["basis"], rtol=0, atol=0)


def test_what_is_added_in_other_data_sets_leaves_the_codec_as_it_is(tmp_path: Path) -> None:
    """Not so where nobody says that they are to be left out."""
    both = pattern_store(tmp_path / "both", episodes=4, robots=("tabletop", "other"))
    without = LINEAR.model_copy(update={"fit_without": ("other", "absent")})
    few = SelectionConfig(robots=("tabletop",))
    same, _ = fit_basis(LINEAR, both.select("train", few))
    parts = fitted_codec(without, both, tmp_path / "without")
    torch.testing.assert_close(load_file(parts.folder / parts.weights), same, rtol=0, atol=0)
    everything = fitted_codec(LINEAR, both, tmp_path / "everything")
    assert not torch.equal(load_file(everything.folder / everything.weights)["basis"], same["basis"])
    with pytest.raises(ConfigurationError, match=r"fit_without leaves no data set .*'other', 'tabletop'"):
        fitted_codec(LINEAR.model_copy(update={"fit_without": ("other", "tabletop")}), both, tmp_path / "no")


def test_nothing_is_fitted_twice(store: FrameStore, tmp_path: Path) -> None:
    first = fitted_codec(LINEAR, store, tmp_path)
    before = (tmp_path / "model.safetensors").stat().st_mtime_ns
    assert fitted_codec(LINEAR, store, tmp_path) == first
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == before
    changed = fitted_codec(LINEAR.model_copy(update={"seed": 3, "fit_frames": 5}), store, tmp_path)
    assert changed.meta != first.meta and (tmp_path / "model.safetensors").stat().st_mtime_ns != before
    unused = LINEAR.model_copy(update={"decode_frames": 2, "folder": Path("elsewhere")})
    assert fitted_codec(unused, store, tmp_path / "again").meta == first.meta


def test_flat_pictures_have_latents_that_are_finite(tmp_path: Path) -> None:
    store = pattern_store(tmp_path, episodes=4, amplitude=0)
    state, share = fit_basis(LINEAR, store.select("train"))
    assert all(bool(torch.isfinite(value).all()) for value in state.values()) and 0 <= share <= 1


def test_an_autoencoder_is_named_by_either_folder(tmp_path: Path, store: FrameStore) -> None:
    folder = write_vae(tmp_path)
    whole, part = (make_codec(CodecConfig(folder=name), store, tmp_path) for name in (folder, folder / "vae"))
    assert whole == part and whole.config["vae"]["latent_channels"] == 4
    assert whole.config["codec"] == {"kind": "vae", "decode_frames": 7}


def test_a_folder_that_lacks_a_part_is_refused(tmp_path: Path, store: FrameStore) -> None:
    with pytest.raises(ConfigurationError, match=r"codec\.folder is not set"):
        make_codec(CodecConfig(), store, tmp_path)
    with pytest.raises(InputError, match=r"lacks config\.json"):
        make_codec(CodecConfig(folder=tmp_path), store, tmp_path)
    folder = write_vae(tmp_path)
    (folder / "vae/diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(InputError, match="lacks the weights"):
        make_codec(CodecConfig(folder=folder), store, tmp_path)


def test_more_components_than_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="blocks of 2 pixels have no 13 components"):
        CodecConfig(kind="linear", factor=2, channels=13)
