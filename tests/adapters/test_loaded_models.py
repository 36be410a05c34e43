"""What a loaded model computes is what its system computes, on frames prepared as the system's own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers.trained_models import CONTENTS, publish_tiny
from vidrep_pipelines.adapters.loaded_models import (
    LoadedCarl,
    LoadedModel,
    LoadedRsp,
    LoadedTokenizer,
    LoadedVqvae,
    as_clips,
    centered_square,
)
from vidrep_pipelines.adapters.model_loading import load_any_model
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.models.voc.tokenizers.inference import tokenize

B, T, H, W = 2, 3, 36, 44
SHAPES = {
    "rsp": ((32,), (32, 4, 4), None),
    "vqvae": ((4,), (4, 8, 8), (8, 8)),
    "carl": ((8,), None, None),
    "voc_vae": ((4,), (4, 8, 8), (8, 8)),
    "voc_dino": ((4,), (4, 4, 4), (4, 4)),
    "voc_musik": ((4,), (4, 8, 8), (8, 8)),
}
"""Of a frame's vector, map and codes."""


def clips(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (B, T, 3, H, W), generator=generator, dtype=torch.uint8)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedModel]:
    folder = tmp_path_factory.mktemp("models")
    for system in CONTENTS:
        publish_tiny(system, folder / system, folder / "runs" / system)
    return {system: load_any_model(folder / system) for system in CONTENTS}


@pytest.mark.parametrize("system", SHAPES)
def test_shapes_types_and_configuration(loaded: dict[str, LoadedModel], system: str) -> None:
    model = loaded[system]
    encoding = model.encode(clips())
    for value, shape, kind in zip(
        (encoding.vectors, encoding.maps, encoding.codes),
        SHAPES[system],
        (torch.float32, torch.float32, torch.int64),
        strict=True,
    ):
        if shape is None:
            assert value is None
        else:
            assert value is not None
            assert (value.shape, value.dtype, value.requires_grad) == ((B, T, *shape), kind, False)
    assert model.system == system
    assert (model.meta["step"], model.meta["metrics"]) == (6, {"loss": 0.25})
    described = CONTENTS[system]()[0]
    assert model.config.model_dump(mode="json") == described.get("model", described)


@pytest.mark.parametrize("system", SHAPES)
def test_floats_and_arrays_mean_the_same_as_bytes(loaded: dict[str, LoadedModel], system: str) -> None:
    expected = loaded[system].encode(clips()).vectors
    assert torch.equal(loaded[system].encode(clips().numpy()).vectors, expected)
    assert torch.equal(loaded[system].encode(clips().double() / 255).vectors, expected)
    assert not torch.equal(loaded[system].encode(clips(seed=1)).vectors, expected)


def test_rsp_is_its_encoder_on_the_standardized_middle(loaded: dict[str, LoadedModel]) -> None:
    model = loaded["rsp"]
    assert isinstance(model, LoadedRsp)
    encoding = model.encode(clips())
    with torch.no_grad():
        tokens = model.network(normalize(centered_square(clips()[1], 32)))
    torch.testing.assert_close(encoding.vectors[1], tokens[:, 0], rtol=0, atol=1e-5)
    assert encoding.maps is not None
    torch.testing.assert_close(encoding.maps[1, 2, :, 1, 3], tokens[2, 1 + 4 + 3], rtol=0, atol=1e-5)


def test_vqvae_gives_the_codes_of_extraction(loaded: dict[str, LoadedModel]) -> None:
    model = loaded["vqvae"]
    assert isinstance(model, LoadedVqvae)
    small = clips()[..., :16, :16]
    codes, latents = model.trained.encode(small[0].movedim(1, -1).numpy())
    encoding = model.encode(small)
    assert encoding.codes is not None and encoding.maps is not None
    assert torch.equal(encoding.codes[0], codes)
    torch.testing.assert_close(encoding.maps[0], latents, rtol=0, atol=1e-5)


def test_carl_embeds_whole_clips_of_any_length(loaded: dict[str, LoadedModel]) -> None:
    model = loaded["carl"]
    assert isinstance(model, LoadedCarl)
    long = clips().repeat(1, 4, 1, 1, 1)
    frames = long[1].movedim(1, -1).numpy()
    expected = model.trained.embed(lambda ranks: frames[ranks], len(frames), model.embedding)
    assert torch.equal(model.encode(long).vectors[1], torch.from_numpy(expected))


@pytest.mark.parametrize("kind", ["vae", "dino", "musik"])
def test_tokenizers_give_the_codes_of_extraction(loaded: dict[str, LoadedModel], kind: str) -> None:
    model = loaded[f"voc_{kind}"]
    assert isinstance(model, LoadedTokenizer)
    square = clips()[..., :20, :20]
    encoding = model.encode(square)
    assert encoding.codes is not None and encoding.maps is not None
    assert torch.equal(encoding.codes[0], tokenize(model.tokenizer, square[0]))
    code = int(encoding.codes[0, 1, 2, 3])
    assert torch.equal(encoding.maps[0, 1, :, 2, 3], model.tokenizer.codebook[code].float())


def test_more_frames_than_go_at_once_are_encoded_alike(loaded: dict[str, LoadedModel]) -> None:
    many = clips().repeat(1, 12, 1, 1, 1)
    vectors = loaded["rsp"].encode(many).vectors
    torch.testing.assert_close(vectors[:, -T:], loaded["rsp"].encode(clips()).vectors, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        (torch.zeros(3, 3, 8, 8), r"not \(3, 3, 8, 8\)"),
        (torch.zeros(1, 3, 8, 8, 3), r"not \(1, 3, 8, 8, 3\)"),
        (torch.zeros(1, 0, 3, 8, 8), "Frames are"),
        (torch.zeros(1, 1, 3, 8, 8, dtype=torch.int64), "not torch.int64"),
        (torch.full((1, 1, 3, 8, 8), 255.0), r"in 255\.\.255"),
        (torch.full((1, 1, 3, 8, 8), -1.0), "do not standardize"),
        (torch.full((1, 1, 3, 8, 8), float("nan")), "nan"),
    ],
)
def test_other_frames_are_refused(frames: Tensor, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        as_clips(frames)


def test_the_middle_of_a_frame_is_cut_out_and_resized(tmp_path: Path) -> None:
    picture = torch.zeros(1, 3, 4, 8, dtype=torch.uint8)
    picture[..., 2:6] = 200
    assert torch.equal(centered_square(picture), torch.full((1, 3, 4, 4), 200, dtype=torch.uint8))
    assert torch.equal(centered_square(picture, 4), centered_square(picture))
    assert np.array_equal(centered_square(picture, 2).numpy(), np.full((1, 3, 2, 2), 200))
