"""Latents of a store: what is stored, when it is redone, published files, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.stores import SERIAL
from tests.models.vpp.video.codecs import LINEAR, publish_linear, publish_vae
from tests.models.vpp.video.frames import pattern_store
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.runner import Parts, run_job
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.video.codec import codec_sizes, load_codec, to_pictures
from vidrep_pipelines.models.vpp.video.codec_config import VideoLatentsConfig
from vidrep_pipelines.models.vpp.video.latents import (
    LatentsRequest,
    extract_latents,
    latents_digest,
    latents_requests,
)
from vidrep_pipelines.models.vpp.video.latents_report import latents_report


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("latents")


@pytest.fixture(scope="module")
def store(folder: Path) -> FrameStore:
    return pattern_store(folder, episodes=4, robots=("bridge", "tabletop"), cameras=2)


@pytest.fixture(scope="module")
def linear(folder: Path, store: FrameStore) -> Path:
    return publish_linear(store, folder / "linear")


@pytest.fixture(scope="module")
def vae(folder: Path) -> Path:
    return publish_vae(folder / "vae")


def requests(codec: Path, store: FrameStore, config: VideoLatentsConfig) -> list[LatentsRequest]:
    return latents_requests(Checkpoint.of(codec), store, config, "cpu")


def run(codec: Path, store: FrameStore, folder: Path, config: VideoLatentsConfig) -> Parts:
    items = [Item(one.id, one, one.digest) for one in requests(codec, store, config)]
    return run_job(Job("latents", extract_latents, items, (".h5",), SERIAL), folder)


def extracted(
    codec: Path, store: FrameStore, folder: Path, config: VideoLatentsConfig | None = None
) -> FrameArrayStore:
    run(codec, store, folder, config or VideoLatentsConfig(dtype="float32", batch_size=5))
    return FrameArrayStore(folder, store)


def test_every_view_has_the_latents_of_its_frames(store: FrameStore, linear: Path, tmp_path: Path) -> None:
    latents, codec = extracted(linear, store, tmp_path), load_codec(linear)
    assert str(latents.specs["latents"]) == "float32 (6, 2, 2) per frame"
    for view in store.ids:
        expected = codec.encode(to_pictures(torch.from_numpy(store.frames(view))))
        np.testing.assert_allclose(latents.array("latents", view), expected.numpy(), atol=1e-5)


def test_half_precision_is_stored_when_asked_for(store: FrameStore, linear: Path, tmp_path: Path) -> None:
    half = extracted(linear, store, tmp_path / "half", VideoLatentsConfig())
    whole = extracted(linear, store, tmp_path / "whole")
    view = store.ids[0]
    assert half.array("latents", view).dtype == np.float16
    np.testing.assert_allclose(
        half.array("latents", view), whole.array("latents", view), rtol=2e-3, atol=1e-3
    )


def test_samples_are_seeded_and_do_not_depend_on_batches(
    store: FrameStore, vae: Path, tmp_path: Path
) -> None:
    def of(name: str, **changed: object) -> np.ndarray:
        config = VideoLatentsConfig.model_validate(
            {"dtype": "float32", "sample_posterior": True, "batch_size": 5, **changed}
        )
        return extracted(vae, store, tmp_path / name, config).array("latents", store.ids[0])

    sample = of("a")
    np.testing.assert_allclose(of("b", batch_size=2), sample, atol=1e-5)
    assert np.abs(of("c", seed=1) - sample).max() > 1e-3
    assert np.abs(of("d", sample_posterior=False) - sample).max() > 1e-3


def test_what_changes_the_digest(store: FrameStore, linear: Path, vae: Path) -> None:
    config = VideoLatentsConfig()
    same = [config, config.model_copy(update={"batch_size": 3}), config.model_copy(update={"seed": 4})]
    other = [
        config.model_copy(update={"dtype": "float32"}),
        config.model_copy(update={"sample_posterior": True}),
        config.model_copy(update={"sample_posterior": True, "seed": 4}),
    ]
    first = {requests(linear, store, one)[0].digest for one in same}
    assert len(first) == 1
    assert len(first | {requests(linear, store, one)[0].digest for one in other}) == 4
    assert requests(vae, store, config)[0].digest not in first
    assert latents_digest("a", config) != latents_digest("b", config)


def test_a_second_run_does_nothing(store: FrameStore, linear: Path, tmp_path: Path) -> None:
    extracted(linear, store, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.h5")}
    assert len(before) == len(store.facts.shards)
    extracted(linear, store, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.h5")} == before


def test_latents_of_another_codec_are_refused(store: FrameStore, linear: Path, tmp_path: Path) -> None:
    latents = extracted(linear, store, tmp_path)
    config = VideoLatentsConfig(dtype="float32")
    spec = list(latents.specs.values())
    wanted = latents_digest(load_codec(linear).digest, config)
    assert latents.requiring(spec, wanted).model_digest == wanted
    with pytest.raises(InputError, match="was made by the model"):
        latents.requiring(spec, latents_digest("another", config))


def test_frames_that_do_not_divide_are_refused_before_any_work(linear: Path, tmp_path: Path) -> None:
    odd = pattern_store(tmp_path, episodes=3, side=10)
    with pytest.raises(InputError, match=r"10x10 pixels do not divide into 4x4.*robot_episodes"):
        requests(linear, odd, VideoLatentsConfig())


def test_latents_published_under_another_name_are_missed_aloud(
    linear: Path, store: FrameStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "bridge_v2/latent_videos/train").mkdir(parents=True)
    assert not any(any(one.files) for one in requests(linear, store, VideoLatentsConfig(published=tmp_path)))
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert str(tmp_path / "bridge/latent_videos") in warning and "robot_episodes" in warning


def test_published_latents_are_read_where_there_are_any(
    store: FrameStore, linear: Path, tmp_path: Path
) -> None:
    """``bridge/push_001``, camera 1, is read; all others are encoded, in the right places."""
    written = torch.randn(9, 6, 2, 2)
    path = tmp_path / "published/bridge/latent_videos_svd/push_001/1.pt"
    path.parent.mkdir(parents=True)
    torch.save(written, path)
    config = VideoLatentsConfig(dtype="float32", batch_size=4, published=tmp_path / "published")
    table = run(linear, store, tmp_path / "mixed", config).table
    assert table["read"].sum() == 6 and table["frames"].sum() == 6 * len(store.ids)
    mixed, encoded = FrameArrayStore(tmp_path / "mixed", store), extracted(linear, store, tmp_path / "all")
    for view in store.ids:
        is_read = view == "bridge/push_001_1"
        expected = written[:6].numpy() if is_read else encoded.array("latents", view)
        np.testing.assert_allclose(mixed.array("latents", view), expected, atol=1e-5)
    before = [one.digest for one in requests(linear, store, config)]
    torch.save(written[:8], path)
    assert (
        sum(a != b for a, b in zip(before, [r.digest for r in requests(linear, store, config)], strict=True))
        == 1
    )


def test_a_folder_that_is_not_there_is_refused(store: FrameStore, linear: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*missing.*extraction\.published"):
        requests(linear, store, VideoLatentsConfig(published=tmp_path / "missing"))


def test_latents_that_overflow_are_an_error(store: FrameStore, tmp_path: Path) -> None:
    """A deviation of nearly nothing makes numbers that float16 does not have."""
    from safetensors.torch import load_file, save_file

    codec = publish_linear(store, tmp_path)
    state = load_file(codec / "model.safetensors")
    (codec / "model.safetensors").unlink()
    save_file({**state, "deviation": torch.full((6,), 1e-9)}, codec / "model.safetensors")
    request = requests(codec, store, VideoLatentsConfig())[0]
    with pytest.raises(InputError, match=r"not finite.*float32"), np.errstate(over="ignore"):
        extract_latents(request, {".h5": tmp_path / "out.h5"})


def test_the_report_says_what_is_lost_in_each_data_set(
    store: FrameStore, linear: Path, tmp_path: Path
) -> None:
    latents = extracted(linear, store, tmp_path)
    report, picture = latents_report(load_codec(linear), latents, 8)
    assert set(report) == {"bridge", "tabletop"}
    assert {facts["split"] for facts in report.values()} <= {"validation", "test", "train"}
    view = next(iter(store.select("validation").ids))
    codec = load_codec(linear)
    frames = torch.from_numpy(store.frames(view)).movedim(-1, 1).float() / 255
    decoded = (codec.decode(codec.encode(frames * 2 - 1)) / 2 + 0.5).clamp(0, 1)
    psnr = -10 * (decoded - frames).square().mean((1, 2, 3)).log10()
    assert 10 < report["bridge"]["psnr"] < 60 and 10 < float(psnr.mean()) < 60
    assert picture.size[0] > 100 and json.dumps(report)


def test_sizes_are_known_without_the_weights(linear: Path, vae: Path) -> None:
    assert codec_sizes(Checkpoint.of(linear)) == (LINEAR.channels, LINEAR.factor)
    assert codec_sizes(Checkpoint.of(vae)) == (4, 2)
