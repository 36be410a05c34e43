from pathlib import Path

import numpy as np
import torch

from tests.models.voc.tokenizers.tiny import SIZE, SOURCE, make_store, vae_config
from vidrep_pipelines.models.voc.depiction import DecodedStates, RetrievedStates
from vidrep_pipelines.models.voc.nearest_states import NearestStates
from vidrep_pipelines.models.voc.token_episodes import TokenEpisodes
from vidrep_pipelines.models.voc.tokenizers.tokenizer import depict
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer


def test_states_are_decoded_frame_by_frame() -> None:
    tokenizer = VaeTokenizer(vae_config()).eval()
    codes = torch.randint(tokenizer.vocabulary, (5, 2, tokenizer.grid, tokenizer.grid))
    depiction = DecodedStates(tokenizer, frame_stack=2)
    frames = depiction.frames(codes.flatten(1).numpy())
    assert frames.shape == (5, 2, SIZE, SIZE, 3) and frames.dtype == np.uint8
    expected = (depict(tokenizer, codes[3]) * 255).round().movedim(1, -1).numpy()
    np.testing.assert_allclose(frames[3], expected, atol=1)
    assert depiction.captions(codes.flatten(1).numpy()) == []


def test_states_without_a_decoder_are_shown_by_real_frames(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    names, lengths = tuple(store.ids), [store.length(name) for name in store.ids]
    rows = sum(lengths)
    rng = np.random.default_rng(0)
    episodes = TokenEpisodes(
        codes=rng.integers(16, size=(rows, 4)).astype(np.int16),
        actions=np.zeros((rows, 1), np.float32),
        rewards=np.zeros(rows, np.float32),
        discounts=np.ones(rows, np.float32),
        offsets=np.cumsum([0, *lengths]),
        names=names,
        splits=("train",) * len(names),
        grid=(2, 2),
        vocabulary=16,
    )
    depiction = RetrievedStates(NearestStates(episodes, 3), store, frame_stack=3)
    states = episodes.states_of(2, 3)[:5]
    frames = depiction.frames(states)
    assert frames.shape == (5, 3, SOURCE, SOURCE, 3)
    np.testing.assert_array_equal(frames[4], store.frames(names[2], slice(2, 5)))
    np.testing.assert_array_equal(frames[0], store.frames(names[2], np.zeros(3, np.int64)))
    assert depiction.captions(states) == ["100% alike"] * 5
