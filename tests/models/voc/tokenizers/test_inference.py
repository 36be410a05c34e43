from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.models.voc.tokenizers.tiny import SERIAL, make_store, musik_config, vae_config, vqkd_config
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.codes import CodeStore
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.voc.config import TokenizerName
from vidrep_pipelines.models.voc.tokenizers.dino.model import VqkdTokenizer
from vidrep_pipelines.models.voc.tokenizers.inference import (
    TokenizerSource,
    assemble_token_episodes,
    extract_tokens,
    extraction_requests,
    tokenize,
)
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer
from vidrep_pipelines.models.voc.tokenizers.vae.checkpoint_io import to_original
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer

BUILDERS = {
    "vae": (VaeTokenizer, vae_config),
    "dino": (VqkdTokenizer, vqkd_config),
    "musik": (MusikTokenizer, musik_config),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return make_store(tmp_path_factory.mktemp("tiny"))


def make_source(kind: TokenizerName, folder: Path) -> TokenizerSource:
    torch.manual_seed(0)
    build, config = BUILDERS[kind]
    path = folder / f"{kind}.safetensors"
    save_file(build(config()).state_dict(), path)
    return TokenizerSource(kind=kind, weights=path, model=config().model_dump(mode="json"))


def extract(store: FrameStore, source: TokenizerSource, folder: Path, batch: int = 5) -> CodeStore:
    requests = extraction_requests(store, source, batch=batch)
    items = [Item(request.id, request, request.digest) for request in requests]
    parts = run_job(Job("codes", extract_tokens, items, (".h5",), SERIAL), folder)
    assert set(parts.table["status"]) == {"ok"} and parts.table["frames"].sum() == store.index.lengths.sum()
    return CodeStore(folder, store)


@pytest.mark.parametrize("kind", ["vae", "dino", "musik"])
def test_codes_of_all_frames_end_up_where_the_frames_are(
    kind: TokenizerName, store: FrameStore, tmp_path: Path
) -> None:
    source = make_source(kind, tmp_path)
    tokenizer, codes = source.load(), extract(store, source, tmp_path / "codes")
    for view in store.ids:
        frames = torch.from_numpy(store.frames(view)).permute(0, 3, 1, 2)
        np.testing.assert_array_equal(codes.codes(view), tokenize(tokenizer, frames))
    with h5py.File(next((tmp_path / "codes").rglob("*.h5"))) as file:
        assert file["codes"].dtype == np.int16


def test_batch_and_place_do_not_change_the_digest_but_weights_do(store: FrameStore, tmp_path: Path) -> None:
    source = make_source("vae", tmp_path)
    digests = [request.digest for request in extraction_requests(store, source)]
    assert digests == [request.digest for request in extraction_requests(store, source, batch=1)]
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(source.weights.read_bytes())
    same = source.model_copy(update={"weights": moved})
    assert [request.digest for request in extraction_requests(store, same)] == digests
    model = VaeTokenizer(vae_config())
    save_file(model.state_dict(), moved)
    assert [request.digest for request in extraction_requests(store, same)] != digests


def test_published_layout_gives_the_same_tokenizer(tmp_path: Path) -> None:
    source = make_source("vae", tmp_path)
    ours = source.load()
    assert isinstance(ours, VaeTokenizer) and not ours.training
    assert not any(parameter.requires_grad for parameter in ours.parameters())
    torch.save(to_original(ours.state_dict()), tmp_path / "cheetah.pt")
    changes = {"weights": tmp_path / "cheetah.pt", "layout": "published"}
    published = source.model_copy(update=changes).load()
    assert torch.equal(published.codebook, ours.codebook)


def test_tokenizers_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    source = make_source("vae", tmp_path)
    with pytest.raises(InputError, match=r"no tokenizer at .*absent.*Remedy: train it first"):
        _ = source.model_copy(update={"weights": tmp_path / "absent"}).digest
    with pytest.raises(ConfigurationError, match="fields of the tokenizer dino do not fit"):
        source.model_copy(update={"kind": "dino"}).load()
    larger = {**source.model, "codes": {"size": 32, "dimension": 4}}
    with pytest.raises(InputError, match=r"quantizer\.codebook is \(16, 4\), expected \(32, 4\)"):
        source.model_copy(update={"model": larger}).load()


def test_token_episodes_carry_what_each_action_earned(store: FrameStore, tmp_path: Path) -> None:
    source = make_source("vae", tmp_path)
    tokenizer, codes = source.load(), extract(store, source, tmp_path / "codes")
    episodes = assemble_token_episodes(codes, tokenizer)
    assert episodes.names == tuple(store.ids) and sorted(set(episodes.splits)) == ["train", "validation"]
    assert episodes.grid == (8, 8) and episodes.vocabulary == 16 and episodes.codes.dtype == np.int16
    assert episodes.codebook is not None and episodes.codebook.shape == (16, 4)
    for number, view in enumerate(store.ids):
        rows = slice(*episodes.offsets[number : number + 2])
        np.testing.assert_array_equal(episodes.rewards[rows], [0, *store.outcomes(view)[:, 0]])
        np.testing.assert_array_equal(episodes.actions[rows][1:], store.actions(view))
        assert not episodes.actions[rows][0].any() and set(episodes.discounts[rows]) == {1.0}
        np.testing.assert_array_equal(episodes.codes[rows], codes.codes(view).reshape(-1, 64))


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (("no rewards",), r"tiny_0 has 7 frames and 0 rewards.*Remedy: a source that knows rewards"),
        (("bad action",), r"'tiny_0', row 3: an action that is not a finite number"),
    ],
)
def test_faulty_episodes_are_named(faults: tuple[str, ...], message: str, tmp_path: Path) -> None:
    store, source = make_store(tmp_path, *faults), make_source("vae", tmp_path)
    codes = extract(store, source, tmp_path / "codes")
    with pytest.raises(InputError, match=message):
        assemble_token_episodes(codes, source.load())
