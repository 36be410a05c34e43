import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tests.models.vpp.video.tiny import CONFIG, TEXT, TEXTS, VOCABULARY, make_tokens, write_clip_folder
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.vpp.video.config import TextConfig
from vidrep_pipelines.models.vpp.video.text import (
    ClipTextEncoder,
    OwnTextEncoder,
    build_text_encoder,
    sine_positions,
    text_files,
    text_tokenizer,
)


@given(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=TEXT.tokens))
@settings(max_examples=30, deadline=None)
def test_words_are_numbered_by_their_place_and_padded(words: list[str]) -> None:
    ids, mask = text_tokenizer(TEXT)([" ".join(words)])
    assert [VOCABULARY[number - 1] for number in ids[0, : len(words)].tolist()] == words
    assert mask.sum() == len(words) and not ids[0, len(words) :].any()


def test_no_instruction_gives_no_row() -> None:
    assert text_tokenizer(TEXT)([])[0].shape == (0, TEXT.tokens)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("push the green cup", "no word 'green'"),
        (" , ", "has no words"),
        (" ".join(["the"] * 9), "9 words, and the text model takes 8"),
    ],
)
def test_what_the_own_model_cannot_be_told_is_named(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        text_tokenizer(TEXT)(["lift the cup up", text])


def test_own_model_sees_no_padding_and_all_words() -> None:
    torch.manual_seed(0)
    encoder = OwnTextEncoder(TEXT).eval()
    ids, mask = make_tokens()
    states = encoder(ids, mask)
    assert states.shape == (3, TEXT.tokens, TEXT.width)
    assert not states[mask == 0].any()
    other = ids.masked_fill(mask == 0, 5)
    torch.testing.assert_close(encoder(other, mask), states)
    last = ids.clone()
    last[0, int(mask[0].sum()) - 1] = 1  # another last word changes what stands at the first
    assert not torch.allclose(encoder(last, mask)[0, 0], states[0, 0])


def test_positions_are_sines_then_cosines() -> None:
    found = sine_positions(5, 6)
    for position in range(5):
        for place in range(3):
            angle = position * 10000 ** (-place / 3)
            assert found[position, place].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert found[position, 3 + place].item() == pytest.approx(math.cos(angle), abs=1e-6)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> TextConfig:
    return write_clip_folder(tmp_path_factory.mktemp("clip"))


def test_clip_is_frozen_moves_along_and_is_no_part_of_the_state(clip: TextConfig) -> None:
    encoder = build_text_encoder(clip).train()
    ids, mask = make_tokens(config=clip)
    states = encoder(ids, mask)
    assert states.shape == (3, clip.tokens, clip.width) and not states.requires_grad
    assert not list(encoder.parameters()) and not encoder.state_dict()
    assert encoder.double()(ids, mask).dtype == torch.float64
    shorter = ids.masked_fill(mask == 0, 3)  # what padding holds does not matter where it is masked
    torch.testing.assert_close(encoder(shorter, mask)[mask > 0], encoder(ids, mask)[mask > 0])


def test_clip_cuts_what_is_too_long_and_refuses_nothing(clip: TextConfig) -> None:
    tokenize = text_tokenizer(clip.model_copy(update={"tokens": 6}))
    ids, mask = tokenize([TEXTS[0], "up"])
    assert ids.shape == (2, 6) and mask.tolist() == [[1] * 6, [1, 1, 1, 1, 0, 0]]
    assert ids[0, -1] == ids[1, 3]  # also what is cut ends with the end
    with pytest.raises(InputError, match="has no words"):
        tokenize(["up", " "])


def test_files_that_count_are_those_of_the_frozen_model(clip: TextConfig) -> None:
    assert text_files(TEXT) == {}
    assert {name.rpartition("/")[2] for name in text_files(clip)} == {
        "model.safetensors", "config.json", "vocab.json", "merges.txt",
    }  # fmt: skip


def _rename(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As older versions of the library, and whole CLIPs, name them."""
    return {**state, "vision_model.x": torch.zeros(1)}


def _drop(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state.items() if "fc1.bias" not in name}


def _changed(config: TextConfig, to: Path, change: Callable[..., dict[str, torch.Tensor]]) -> TextConfig:
    assert config.folder is not None
    for path in config.folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    save_file(change(load_file(to / "model.safetensors")), to / "model.safetensors")
    return config.model_copy(update={"folder": to})


def test_the_text_half_of_a_whole_clip_is_read(clip: TextConfig, tmp_path: Path) -> None:
    whole = _changed(clip, tmp_path, _rename)
    ids, mask = make_tokens(config=clip)
    torch.testing.assert_close(build_text_encoder(whole)(ids, mask), build_text_encoder(clip)(ids, mask))


def test_clip_folders_that_lack_something_are_refused(clip: TextConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"fc1\.bias is missing"):
        build_text_encoder(_changed(clip, tmp_path, _drop))
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(InputError, match="holds no CLIP tokenizer"):
        text_tokenizer(clip.model_copy(update={"folder": tmp_path}))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="describes no CLIP text model"):
        ClipTextEncoder(tmp_path, clip.width)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match="holds no text model"):
        build_text_encoder(clip.model_copy(update={"folder": tmp_path}))
    assert clip.folder is not None
    with pytest.raises(InputError, match="a text model of 16 numbers"):
        ClipTextEncoder(clip.folder, 512)
    with pytest.raises(ConfigurationError, match=r"text\.folder is not set"):
        text_tokenizer(TextConfig())
    assert CONFIG.text.folder is None
