from pathlib import Path

import pytest
import torch

from tests.helpers.stores import ArrayEpisode, assembly_job, prepare, shard_requests
from tests.models.vqvae.tiny import make_config
from vidrep_pipelines.data.frame_store.manifest import write_store_manifest
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.models.shared.code_counts import code_counts, perplexity
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig, VqvaeObjectiveConfig, VqvaeValidationConfig
from vidrep_pipelines.models.vqvae.model import VqvaeModel
from vidrep_pipelines.models.vqvae.task import VqvaeTask
from vidrep_pipelines.models.vqvae.validation import VqvaeValidation

SPLIT = "train"  # in the store of the tests; a validation says which


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    episodes = [ArrayEpisode(f"t{number}", (5, 9)) for number in range(5)]
    shards = run_job(assembly_job(shard_requests(prepare(folder / "episodes", episodes))), folder / "frames")
    write_store_manifest(folder / "frames", shards.ids)
    return folder / "frames"


def task_on(store: Path, **changes: object) -> VqvaeTask:
    size = FrameStore(store).facts.height
    fields = {
        "frame_store": store,
        "split": SPLIT,
        "data": VqvaeDataConfig(),
        "model": make_config(image_size=size, attention_resolutions=()),
        "objective": VqvaeObjectiveConfig(),
        **changes,
    }
    return VqvaeTask.model_validate(fields)


def built(task: VqvaeTask) -> VqvaeModel:
    torch.manual_seed(0)
    model: VqvaeModel = task.build_model()
    with torch.no_grad():
        model.quantizer.codebook.normal_(std=0.5)
    return model.eval()


@pytest.mark.parametrize("clip_frames", [1, 3])
def test_measures_are_those_of_all_samples_together(store: Path, clip_frames: int) -> None:
    task = task_on(store, data=VqvaeDataConfig(clip_frames=clip_frames))
    model, dataset = built(task), task.build_dataset()
    frames = torch.cat([dataset[0, index]["frames"] for index in range(len(dataset))])  # type: ignore[arg-type]
    with torch.no_grad():
        expected = task.losses(model, frames)
    for batch_size in (2, 5, 1000):
        measured = VqvaeValidation(task=task, split=SPLIT, batch_size=batch_size).measure(model)
        assert measured["loss"] == pytest.approx(float(expected.loss), rel=1e-5)
        assert measured["psnr"] == pytest.approx(float(expected.psnr), rel=1e-5)
        codes = code_counts(expected.outputs.quantized.codes, 16)
        assert measured["perplexity"] == pytest.approx(float(perplexity(codes)))
        assert 1 <= measured["rankme"] <= model.to_latents.out_channels + 0.01
        assert measured["codebook_use"] == pytest.approx(float((codes > 0).double().mean()))


def test_fewer_samples_are_spread_over_the_split(store: Path) -> None:
    task = task_on(store)
    validation = VqvaeValidation(task=task, split=SPLIT, samples=3, batch_size=2)
    batches = [batch.shape[0] for batch in validation._batches()]
    assert batches == [2, 1]
    few, all_of_them = (
        VqvaeValidation(task=task, split=SPLIT, samples=count).measure(built(task))["loss"]
        for count in (3, None)
    )
    assert few != all_of_them


def test_an_adversarial_loss_is_no_part_of_it(store: Path) -> None:
    judged = VqvaeObjectiveConfig.model_validate({"adversarial": {"weight": 1.0, "width": 8, "layers": 1}})
    plain, other = (task_on(store, objective=objective) for objective in (VqvaeObjectiveConfig(), judged))
    model = built(plain)
    losses = [VqvaeValidation(task=task, split=SPLIT).measure(model)["loss"] for task in (plain, other)]
    assert losses[0] == losses[1]


def test_held_out_clips_are_drawn_and_change_no_run(store: Path, tmp_path: Path) -> None:
    plain, shown = task_on(store), task_on(store, shown_split="test")
    assert plain.identity() == shown.identity() and plain.held_out() is plain
    assert shown.held_out().split == "test" and shown.split == SPLIT
    files = shown.on_checkpoint(built(shown), tmp_path, 1)
    assert [file.parent.name for file in files] == ["reconstructions", "held_out", "codes"]
    assert files[0].read_bytes() != files[1].read_bytes()


def test_what_is_published_must_be_measured_and_kept() -> None:
    for options in ({"keep": {"psnr": "highest"}}, {"every_steps": None}):
        with pytest.raises(ValueError, match="publish: loss needs"):
            VqvaeValidationConfig.model_validate({"publish": "loss", **options})
