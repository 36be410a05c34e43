"""The parity test finds whatever is recorded, and notices what differs."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.reference.rsp_published import PublishedSettings

from tests.parity.discovery import Case, find_cases, name_of, pair_with_checks, parity_folder
from tests.parity.precision import SPREAD, computing_in, tolerance
from tests.parity.recording import record_pretrain_case
from tests.parity.rsp_pretrain_checks import CHECKS, check_losses
from tests.parity.test_rsp import CHECKS as BY_KIND
from tests.parity.test_rsp import unknown_kind
from tests.parity.vqvae_checks.model import (
    check_architecture,
    check_features,
    check_losses_and_gradients,
    model_config,
)
from tests.parity.vqvae_checks.near_ties import undecided
from tests.parity.vqvae_recording import OPTIONS, record_vqvae_case
from vidrep_pipelines.models.vqvae.model import VqvaeModel

OTHER_SETTINGS = {
    "pretrain_q": PublishedSettings(
        img_size=36, patch_size=12, embed_dim=40, depth=1, num_heads=5, mlp_ratio=2.0, stoch=2, discrete=3,
        decoder_embed_dim=24, decoder_depth=3, decoder_num_heads=3, kl_scale=0.3, kl_balance=0.5,
        kl_freebit=0.0, mask_ratio=0.6, noise_scale=1.0,
    ),
    "pretrain_grey_17": PublishedSettings(
        img_size=32, patch_size=8, in_chans=1, embed_dim=16, depth=2, num_heads=1, stoch=1, discrete=9,
        decoder_embed_dim=16, decoder_depth=2, decoder_num_heads=4, norm_pix_loss=False, kl_freebit=50.0,
        mask_ratio=0.9,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_SETTINGS)
def test_cases_with_other_names_sizes_and_options_are_found_and_hold(name: str, tmp_path: Path) -> None:
    record_pretrain_case(tmp_path / name, OTHER_SETTINGS[name], batch=5, seed=11)
    pairs = pair_with_checks(find_cases(tmp_path), BY_KIND, unknown_kind)
    assert [name_of(check) for _, check in pairs] == [name_of(check) for check in CHECKS]
    for case, check in pairs:
        check(case)


def test_a_case_without_optional_layers_and_with_untrained_parameters_holds(tmp_path: Path) -> None:
    """Of the second variant, the decoder has no gradient: its recorded norms are -1."""
    folder = tmp_path / "case_other"
    record_vqvae_case(folder, seed=5)
    with np.load(folder / "data.npz") as file:
        arrays = dict(file)
    assert (arrays["codes_only/grad_norms"] == -1).any() and "dec_mid" not in arrays
    check_features(folder)
    check_architecture(folder)
    check_losses_and_gradients(folder)
    names = arrays["codes_only/grad_names"].tolist()
    arrays["codes_only/grad_norms"][names.index("encoder.conv_in.weight")] = -1
    wrong = tmp_path / "case_wrong"
    shutil.copytree(folder, wrong)
    np.savez(wrong / "data.npz", **arrays)
    with pytest.raises(AssertionError, match="codes_only"):
        check_losses_and_gradients(wrong)


def test_a_mismatch_is_excused_by_a_near_tie_only() -> None:
    model = VqvaeModel(model_config(OPTIONS))
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert undecided(model, images, moved=0.0) == 0
    with torch.no_grad():
        codes = model.encode(images)
        best = model.quantizer.codebook[codes[0, 0, 0]].clone()
        model.quantizer.codebook.copy_(torch.randn_like(model.quantizer.codebook) + 100)
        model.quantizer.codebook[:2] = torch.stack([best, best * (1 + 1e-7)])
    assert undecided(model, images, moved=0.0) == codes.numel()


def test_a_wrong_recorded_value_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "pretrain_wrong"
    record_pretrain_case(folder, OTHER_SETTINGS["pretrain_q"], batch=2, seed=3)
    with np.load(folder / "io.npz") as file:
        arrays = dict(file)
    arrays["mae_loss"] = arrays["mae_loss"] * 1.001
    np.savez(folder / "io.npz", **arrays)
    with pytest.raises(AssertionError, match="mae_loss"):
        check_losses(Case(folder))


def test_an_unknown_kind_fails_instead_of_being_passed_over(tmp_path: Path) -> None:
    (tmp_path / "surprise_a").mkdir()
    ((case, check),) = pair_with_checks(find_cases(tmp_path), BY_KIND, unknown_kind)
    with pytest.raises(pytest.fail.Exception, match="surprise_a"):
        check(case)


def test_absent_folders_hold_no_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDREP_PARITY_DIR", str(tmp_path))
    assert parity_folder("rsp") == tmp_path / "rsp"
    assert find_cases(parity_folder("rsp")) == []


def test_precisions_differ_in_numbers_and_in_what_they_permit() -> None:
    with computing_in("double"):
        assert torch.ones(1, dtype=torch.float32).float().dtype == torch.float64
        assert torch.nn.Linear(1, 1).weight.dtype == torch.float64
        assert tolerance(1e-5) == 1e-5
    with computing_in("single"):
        assert torch.ones(1).float().dtype == torch.float32
        assert tolerance(1e-5) == SPREAD * 1e-5
    assert torch.ones(1).float().dtype == torch.get_default_dtype() == torch.float32
