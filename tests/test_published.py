"""Trainings at published size are planned, on any number of processes, and nothing is trained."""

import re
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from kedro.framework.cli.utils import _split_params
from kedro.pipeline.node import Node

from tests.conftest import ROOT
from tests.models.carl.videos import label_index
from tests.models.voc.tiny import make_episodes
from tests.models.vpp.policy.trained import GOAL, ITEMS, demonstrations
from tests.test_pipeline_registry import PIPELINES, parameters_of
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.carl.presets import CarlPreset
from vidrep_pipelines.models.vpp.policy.seen import SeenFeatures
from vidrep_pipelines.models.vpp.policy.statistics import split_statistics
from vidrep_pipelines.models.vqvae.config import VqvaePreset
from vidrep_pipelines.project_config import ProjectConfigLoader
from vidrep_pipelines.runtime_parameters import parameter_names, refuse_unknown
from vidrep_pipelines.settings import CONFIG_LOADER_ARGS
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.order import plan_batches
from vidrep_pipelines.training.task import load_task

PROCESSES = (1, 2, 3, 5, 8, 32)
COMMANDS = re.findall(r"`((?:VIDREP_\w+=\S+ )+kedro run [^`]+)`", (ROOT / "docs/published.md").read_text())
VARIABLES = set(
    re.findall(r"oc\.env:(VIDREP_\w+)", "".join(p.read_text() for p in ROOT.glob("conf/**/*.yml")))
)
# Each of its policies is planned as that of vpp_policy.plan, once features of seven kinds are stored.
ABLATION = "ablate_vpp_policy.plan"
PLANS: dict[str, Node] = {
    node.name: node
    for pipeline in PIPELINES.values()
    for node in pipeline.nodes
    if node.name.endswith(".plan") and node.name != ABLATION
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the plans are given of data: handles, none of which is opened but those of instructed clips."""
    folder = tmp_path_factory.mktemp("planned")
    splits = pd.DataFrame({"split": ["train", "validation"]})
    store = SimpleNamespace(folder=folder / "store", content_digest="frames", table=splits)
    robots = demonstrations(folder)
    seen = SeenFeatures(
        digest="seen", shape=(16, 2560, 16, 16), content="pictures", stored=folder / "features"
    )
    tokens = SimpleNamespace(episodes=make_episodes(), path=folder / "tokens.h5", digest="tokens")
    videos = Parts(folder / "resized_videos", pd.DataFrame(), (".mp4", ".packets"))
    clip = {"id": ["a"], "class_id": [0], "path": ["a.mp4"], "frames": [99], "digest": ["a0"]}
    labels = label_index(("train/a", "pour", [0, 1, 2]))
    named = {f"{release}_video_frames": store for release in ("pouring", "penn_action", "finegym")}
    named |= {f"{release}_labelled_videos": labels for release in ("pouring", "penn_action", "finegym")}
    return {
        **named,
        **{f"voc_{kind}.token_episodes": tokens for kind in ("vae", "dino", "musik", "acting")},
        **{f"voc_{kind}_released.token_episodes": tokens for kind in ("vae", "dino")},
        "clip_table": pd.DataFrame(clip),
        "resized_videos": videos,
        "packet_store": videos,
        "frame_store": store,
        "dmc_frames": store,
        "robot_frames": robots.store,
        "video_latents": robots.latents,
        "video_codec": robots.codec,
        "vpp_policy.seen": seen.model_dump(mode="json"),
        "policy_items_statistics": {
            name: statistics.model_dump(mode="json")
            for name, statistics in split_statistics(robots.store, ITEMS).items()
        },
    }


@pytest.fixture(scope="module", autouse=True)
def _data_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDREP_DATA", str(tmp_path_factory.mktemp("root")))
        parameters.cache_clear()
        yield


@cache
def parameters(environment: str, given: str = "", processes: str = "1") -> dict[str, Any]:
    """The parameters of an environment; ``given`` as for ``--params``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDREP_GPUS", processes)
        runtime = _split_params(None, None, given)
        refuse_unknown(runtime, (name for every in PIPELINES.values() for name in parameter_names(every)))
        options: dict[str, Any] = {"env": environment, "runtime_params": runtime, **CONFIG_LOADER_ARGS}
        return dict(ProjectConfigLoader(str(ROOT / "conf"), **options)["parameters"])


def planned(name: str, known: dict[str, Any], data: dict[str, Any]) -> TrainSpec:
    """The training that a node plans with these parameters; of words and items, those of the tests' clips."""
    node, values = PLANS[name], dict(data)
    for dataset, kind in parameters_of(node).items():
        value: Any = known
        for part in dataset.removeprefix("params:").split("."):
            value = value[part]
        values[dataset] = kind.model_validate(value)
    if name == "vpp_policy.plan":
        policy = values["params:vpp_policy"].model_copy(update={"goal": GOAL})
        values |= {"params:vpp_policy": policy, "params:policy_items.items": ITEMS}
    return TrainSpec.model_validate(node.func(*(values[dataset] for dataset in node.inputs)))


@pytest.mark.parametrize("environment", ["cluster", "published"])
def test_every_training_is_spread_over_any_number_of_processes(
    environment: str, data: dict[str, Any]
) -> None:
    known = parameters(environment)
    assert len(PLANS) > 15
    for name in PLANS:
        spec = planned(name, known, data)
        most = spec.launch.device_batch_size
        assert most is not None and spec.launch.device == "cuda", name
        for processes in PROCESSES:
            plan = plan_batches(spec.train, spec.launch, processes)
            parts = [plan.part(step, rank) for step in range(plan.accumulation) for rank in range(processes)]
            assert [item for part in parts for item in part] == list(range(spec.train.batch_size)), name
            assert plan.largest <= most and plan.idle_processes == max(0, processes - spec.train.batch_size)


def test_the_published_environment_stands_on_the_clusters() -> None:
    cluster, published = parameters("cluster"), parameters("published")
    assert published["launch"] == cluster["launch"] and published["fanout"]["engine"] == "dask"
    assert published["vpp_video"]["clips_per_device"] == 6
    assert published["vpp_features"] == cluster["vpp_features"]


def test_published_trainings_are_those_of_the_papers(data: dict[str, Any]) -> None:
    known = parameters("published")
    specs = {name.removesuffix(".plan"): planned(name, known, data) for name in PLANS}
    tasks: dict[str, Any] = {name: load_task(spec) for name, spec in specs.items()}
    for name in ("rsp", "vqvae", "vqvae_clips", "carl", "carl_kinetics", "vpp_video", "vpp_policy"):
        assert specs[name].train.precision == "fp16", name
    rsp = specs["rsp"].train
    assert (rsp.batch_size, rsp.epochs, rsp.keep_every) == (1536, 400, 50)
    assert known["resize"]["profile"] == "published"
    assert known["frame_store"]["views"]["split"]["unit"] == "view"
    for end, preset in (
        ("", "scl_transformer"),
        ("_penn_action", "scl_transformer_action"),
        ("_finegym", "scl_transformer_finegym"),
        ("_kinetics", "scl_transformer_k400_pretrain"),
    ):
        task, named = tasks[f"carl{end}"], CarlPreset.named(preset)
        assert (task.model, task.objective, task.data) == (named.model, named.objective, named.data)
        assert specs[f"carl{end}"].train == named.train.model_copy(update={"precision": "fp16"})
    pixels = VqvaePreset.named("baseline_2d")
    vqvae = tasks["vqvae"]
    assert (vqvae.model, vqvae.objective, vqvae.data) == (pixels.model, pixels.objective, pixels.data)
    probe = specs["vqvae"].probe
    assert probe is not None and (probe.every_steps, set(probe.keep)) == (100, {"loss", "psnr"})
    assert (specs["vqvae_clips"].train.batch_size, specs["vqvae_clips"].launch.device_batch_size) == (60, 20)
    for kind, updates, batch in (("vae", 50_000, 64), ("dino", 100_000, 32), ("musik", 50_000, 64)):
        train = specs[f"voc_{kind}"].train
        assert (train.steps, train.batch_size, train.summed_batches) == (updates, batch, batch // 32)
        assert tasks[f"voc_{kind}"].objective.second_rate == "constant"
    for kind in ("vae", "dino", "musik"):
        assert tasks[f"voc_tokenizer_{kind}"].model.pixels.normalization == "published"
        assert tasks[f"voc_{kind}"].objective.target.top_k == 50
    assert (
        not tasks["vpp_video"].model.text.position_encoding and tasks["vpp_video"].mixture.published_indexing
    )
    assert specs["vpp_policy"].train.ema_decay is None and known["vpp_features"]["noise"]["kind"] == "fresh"


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_page_are_planned(command: str, data: dict[str, Any]) -> None:
    before, after = command.split(" kedro run ")
    variables = dict(word.split("=") for word in before.split())
    assert "VIDREP_DATA" in variables and variables.keys() <= VARIABLES
    words = after.split()
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert options.keys() <= {"--env", "--pipelines", "--params"} and options["--env"] == "published"
    known = parameters("published", options.get("--params", ""), variables.get("VIDREP_GPUS", "1"))
    for pipeline in options["--pipelines"].split(","):
        names = [node.name for node in PIPELINES[pipeline].nodes if node.name in PLANS]
        untrained = pipeline.startswith(("ingest", "resize", "label", "prepare", "latent", "serve"))
        assert names or untrained or pipeline.endswith(("_original", "_features"))
        for name in names:
            spec = planned(name, known, data)
            plan = plan_batches(spec.train, spec.launch, spec.launch.processes)
            assert plan.idle_processes == 0, f"{name} has no work for some of {spec.launch.processes} GPUs"
