from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.models.voc.tokenizers.tiny import SIZE, TEACHER, make_frames, vqkd_config
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.voc.tokenizers.dataset import prepare_frames
from vidrep_pipelines.models.voc.tokenizers.dino.checkpoint_io import load_into, load_original, to_original
from vidrep_pipelines.models.voc.tokenizers.dino.config import TeacherConfig
from vidrep_pipelines.models.voc.tokenizers.dino.model import (
    DirectionQuantizer,
    VqkdTokenizer,
    spherical_kmeans,
)
from vidrep_pipelines.models.voc.tokenizers.dino.objective import Teacher, vqkd_objective
from vidrep_pipelines.models.voc.tokenizers.inference import tokenize


def make_model(**changes: object) -> VqkdTokenizer:
    torch.manual_seed(0)
    return VqkdTokenizer(vqkd_config(**changes))


def directions(count: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(count, 4, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_codes_are_the_nearest_directions() -> None:
    model, frames = make_model().eval(), make_frames(3)
    codes = tokenize(model, frames)
    assert codes.shape == (3, 4, 4) and (model.vocabulary, model.grid) == (16, 4)
    with torch.no_grad():
        latents = F.normalize(model.latents(prepare_frames(frames, model.pixels)), dim=-1)
    assert torch.equal((latents @ model.codebook.T).argmax(dim=-1), codes)


def test_uses_are_counted_in_evaluation_only_when_asked() -> None:
    frames = make_frames(2)
    for counting, moves in (("training", False), ("always", True)):
        model = make_model(counting=counting).eval()
        tokenize(model, frames)
        assert bool(model.quantizer.counts.any()) is moves


def test_codes_follow_their_directions_and_unused_ones_stay() -> None:
    torch.manual_seed(0)
    quantizer = DirectionQuantizer(16, 4)
    before, seen = quantizer.codes.codebook.clone(), directions(12)
    codes = quantizer.codes.nearest(seen)
    # In two passes, as with accumulation.
    for part in (slice(0, 5), slice(5, 12)):
        quantizer.observe(seen[part], codes[part])
    quantizer.update(0.9, torch.Tensor.detach)
    for code in range(16):
        mine = seen[codes == code]
        expected = before[code]
        if len(mine):
            mean = F.normalize(mine.mean(dim=0), dim=-1)
            expected = F.normalize(0.9 * before[code] + 0.1 * mean, dim=-1)
        torch.testing.assert_close(quantizer.codes.codebook[code], expected)
    torch.testing.assert_close(quantizer.counts, 0.1 * torch.bincount(codes, minlength=16).float())


def test_first_vectors_initialize_the_codes_also_when_they_are_few() -> None:
    for count in (40, 5):
        quantizer = DirectionQuantizer(16, 4)
        assert not quantizer.initialized
        quantizer.initialize(directions(count), torch.Generator().manual_seed(1), iterations=3)
        assert quantizer.initialized and int(quantizer.counts.sum()) == count
        torch.testing.assert_close(quantizer.codes.codebook.norm(dim=1), torch.ones(16))


def test_kmeans_raises_the_cosine_and_keeps_empty_means() -> None:
    samples = directions(60)
    start = torch.cat([samples[:5], -samples.mean(dim=0, keepdim=True) * 0 + torch.eye(4)[:1]])
    quality = [
        float((samples @ spherical_kmeans(samples, start, rounds)[0].T).amax(dim=1).mean())
        for rounds in (1, 4, 10)
    ]
    assert quality == sorted(quality) and quality[0] < quality[-1]
    far = torch.tensor([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]])
    means, counts = spherical_kmeans(far[:1], far, 2)
    assert torch.equal(means, far) and counts.tolist() == [1, 0]


def test_loss_falls_to_zero_when_features_are_the_teachers() -> None:
    model, teacher = make_model(), Teacher.build(TEACHER, SIZE)
    images = prepare_frames(make_frames(2), model.pixels)
    losses = vqkd_objective(model, teacher, images, beta=1.0)
    assert 0 < losses.features < 2 and losses.loss.item() == pytest.approx(
        (losses.features + losses.commitment).item()
    )
    losses.loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert all(parameter.grad is None for parameter in teacher.parameters())
    doubled = vqkd_objective(model, teacher, images, beta=2.0)
    assert doubled.commitment.item() == pytest.approx(2 * losses.commitment.item())


def test_teacher_is_a_file_or_a_stand_in_asked_for_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"teacher\.weights.*dino_vitbase16_pretrain"):
        Teacher.build(TeacherConfig(), 224)
    stand_in = Teacher.build(TEACHER, SIZE)
    path = tmp_path / "teacher.pth"
    torch.save({**stand_in.network.state_dict(), "head.weight": torch.zeros(1)}, path)
    config = TEACHER.model_copy(update={"kind": "file", "weights": path})
    images = torch.rand(2, 3, SIZE, SIZE)
    assert torch.equal(Teacher.build(config, SIZE)(images), stand_in(images))
    assert stand_in(images).shape == (2, 16, 16)
    with pytest.raises(InputError, match=r"teacher\.pth belongs to another architecture"):
        Teacher.build(config, 2 * SIZE)


@pytest.mark.parametrize("entry", ["model", "state_dict", None])
def test_published_files_are_read_and_written_without_losing_a_tensor(
    tmp_path: Path, entry: str | None
) -> None:
    model = make_model()
    with torch.no_grad():
        for buffer in model.quantizer.buffers():
            buffer.uniform_()
    state = to_original(model.state_dict())
    extra = {"teacher.cls_token": torch.zeros(1), "scaling_layer.shift": torch.zeros(1)}
    path = tmp_path / "vqkd.pth"
    torch.save({**state, **extra} if entry is None else {entry: {**state, **extra}}, path)
    other = make_model()
    load_into(other, load_original(path), path.name)
    assert all(torch.equal(other.state_dict()[k], v) for k, v in model.state_dict().items())
    assert load_original(path).keys() == state.keys()
