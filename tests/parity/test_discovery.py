"""The parity test finds whatever is recorded, and notices what differs."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.reference.rsp_published import PublishedSettings

from .discovery import Case, find_cases, name_of, pair_with_checks, parity_folder
from .recording import record_pretrain_case
from .rsp_pretrain_checks import CHECKS, check_losses
from .test_rsp import CHECKS as BY_KIND
from .test_rsp import unknown_kind

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
