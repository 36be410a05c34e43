from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pydantic import BaseModel

from tests.helpers.project import bootstrap
from vidrep_pipelines.data.sample_world.instructions import vocabulary
from vidrep_pipelines.datasets.frame_embeddings import FrameEmbeddingsDataset
from vidrep_pipelines.datasets.frame_store import CodeStoreDataset, FrameArraysDataset, FrameStoreDataset
from vidrep_pipelines.datasets.local import LocalDataset
from vidrep_pipelines.datasets.resumable_parts import ResumableParts
from vidrep_pipelines.models.rsp.config import RspModelConfig
from vidrep_pipelines.models.voc.config import TokenizerName, VocPreset
from vidrep_pipelines.models.voc.tokenizers.dino.config import VqkdConfig
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig
from vidrep_pipelines.models.vpp.policy.presets import PolicyPreset
from vidrep_pipelines.models.vpp.video.config import UnetConfig, VideoObjectiveConfig, VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.presets import CALVIN_MIXTURE
from vidrep_pipelines.models.vqvae.config import VqvaeModelConfig
from vidrep_pipelines.pipeline_registry import register_pipelines
from vidrep_pipelines.pipelines.pretrain.rsp_nodes import RspParameters
from vidrep_pipelines.pipelines.pretrain.vpp_policy_nodes import PolicyParameters
from vidrep_pipelines.pipelines.pretrain.vpp_video_nodes import VideoParameters
from vidrep_pipelines.training.config import LaunchConfig, TrainConfig

PIPELINES = register_pipelines()
LABELS = ("davis", "jhmdb", "vip", "points")
CARL = ("carl", "carl_penn_action", "carl_finegym")
VOC: tuple[TokenizerName, ...] = ("vae", "dino", "musik")
VOC_PARAMETERS = ("run", "model", "objective", "train")
LAYERS = [
    *("raw", "intermediate", "primary", "model_input", "models", "model_output"),
    *("second_stage_models", "second_stage_output", "reporting"),
]
"""In their order: nothing of a later one is needed for an earlier one."""
TAGS = {"cpu", "gpu", "fanout", "train", "eval", "rsp", "voc", "vqvae", "carl", "vpp", "serve"}

every_pipeline = pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)


def distinct_nodes() -> dict[str, Node]:
    return {node.name: node for pipeline in PIPELINES.values() for node in pipeline.nodes}


every_node = pytest.mark.parametrize("node", distinct_nodes().values(), ids=distinct_nodes())


def parameters_of(node: Node) -> dict[str, Any]:
    """The type hint of each parameter that a node reads.

    A type variable stands for any of several classes: other nodes say which, or Kedro would not check it.
    """
    hints = {name: getattr(hint, "__bound__", hint) for name, hint in get_type_hints(node.func).items()}
    names = zip(node.func.__code__.co_varnames, node.inputs, strict=False)
    return {dataset: hints[argument] for argument, dataset in names if dataset.startswith("params:")}


@pytest.fixture
def catalogs(project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Gives the catalog of an environment."""
    monkeypatch.setenv("VIDREP_DATA", str(tmp_path / "data"))

    def catalog_of(environment: str | None = None) -> DataCatalog:
        bootstrap()
        session: Any = KedroSession.create(project_root, env=environment)
        catalog: DataCatalog = session.load_context().catalog
        return catalog

    yield catalog_of


def test_public_names() -> None:
    assert set(PIPELINES) == {
        "ingest",
        "ingest_kinetics",
        *(f"{stage}_{task}" for stage in ("ingest", "eval") for task in (*LABELS, "probe")),
        *(f"eval_{task}{end}" for task in (*LABELS, "probe") for end in ("_systems", "_standalone")),
        *("compare_encoders", "compare_encoders_standalone"),
        "resize",
        "label_filter",
        "prepare_clips",
        "pack_clips",
        "verify",
        "measure_video_io",
        "pretrain_rsp",
        "export_rsp",
        "ingest_robonet",
        "pretrain_vqvae",
        "latent_extraction_vqvae",
        "eval_reconstruction",
        "eval_reconstruction_original",
        "eval_rate_distortion",
        "export_vqvae",
        "ablate_vqvae",
        "eval_occupancy_chains",
        *("eval_occupancy", *(f"eval_occupancy_{kind}" for kind in VOC)),
        "ingest_dmc",
        *(f"pretrain_voc_tokenizer_{kind}" for kind in VOC),
        *(f"{stage}_voc_{kind}" for stage in ("pretrain", "latent_extraction", "export") for kind in VOC),
        *(
            f"{stage}_{kind}_released"
            for stage in ("pretrain_voc", "eval_occupancy")
            for kind in ("vae", "dino")
        ),
        *(f"{stage}_joint" for stage in ("pretrain_voc", "latent_extraction_voc", "export_voc")),
        "eval_occupancy_joint",
        *("pretrain_voc_acting", "eval_occupancy_acting"),
        *(f"ingest_{release}" for release in ("pouring", "penn_action", "finegym")),
        *(f"{stage}_{model}" for stage in ("pretrain", "latent_extraction", "export") for model in CARL),
        *(f"eval_phases{end}" for end in ("", "_penn_action", "_finegym")),
        "eval_phases_finegym_features",
        *(f"eval_phases{end}_original" for end in ("", "_penn_action", "_finegym")),
        *("pretrain_carl_kinetics", "latent_extraction_carl_kinetics", "eval_phases_kinetics"),
        "export_carl_kinetics",
        "ingest_robot_clips",
        "latent_extraction_svd",
        "export_svd_latents",
        *("prepare_policy_items", "export_policy_items", "latent_extraction_vpp_features"),
        *("pretrain_vpp_video", "export_vpp_video"),
        *("pretrain_vpp_policy", "export_vpp_policy", "eval_rollout", "ablate_vpp_policy"),
        *("predict_video", "eval_video_prediction"),
        *("eval_calvin", "eval_calvin_baselines", "check_calvin"),
        *("pretrain_vpp_policy", "export_vpp_policy", "eval_rollout"),
        *("serve_policy", "eval_open_loop"),
        *("ingest_robot_demos", *(f"eval_robot{end}" for end in ("", "_systems", "_standalone"))),
        "__default__",
    }


def names(pipeline: str) -> set[str]:
    return {node.name for node in PIPELINES[pipeline].nodes}


def test_public_pipelines_start_from_raw_video() -> None:
    stages = names("ingest") | names("resize") | names("label_filter")
    assert names("prepare_clips") == stages
    assert names("pretrain_rsp") > stages
    assert names("export_rsp") > names("pretrain_rsp")
    assert {"ingest.probe_videos", "resize.resize_videos", "label_filter.filter_clips", "rsp.train"} <= names(
        "pretrain_rsp"
    )
    for name in ("prepare_clips", "measure_video_io", "pretrain_rsp", "export_rsp", "__default__"):
        assert all(dataset.startswith("params:") for dataset in PIPELINES[name].inputs()), name


def test_default_is_the_pretraining() -> None:
    assert PIPELINES["__default__"].nodes == PIPELINES["pretrain_rsp"].nodes


def test_every_stage_that_works_item_by_item_notices_when_nothing_succeeded(catalogs: Any) -> None:
    catalog = catalogs()
    outputs = {name for node in distinct_nodes().values() if "fanout" in node.tags for name in node.outputs}
    kinds = {name: type(catalog.get(name)) for name in outputs}
    assert len(kinds) > 20
    known = (ResumableParts, FrameStoreDataset, CodeStoreDataset, FrameArraysDataset, FrameEmbeddingsDataset)
    assert {name: kind for name, kind in kinds.items() if not issubclass(kind, known)} == {}


@every_pipeline
def test_what_a_stage_needs_is_made_by_another_one(pipeline: Pipeline) -> None:
    made = {dataset for other in PIPELINES.values() for dataset in other.all_outputs()}
    assert {name for name in pipeline.inputs() if not name.startswith("params:")} <= made


def test_order_of_the_work() -> None:
    order = [node.name for node in PIPELINES["export_rsp"].nodes]
    steps = ["ingest.list_videos", "ingest.probe_videos", "resize.resize_videos", "label_filter.filter_clips"]
    steps += ["rsp.plan", "rsp.train", "rsp.export"]
    assert [order.index(step) for step in steps] == sorted(order.index(step) for step in steps)


@every_node
def test_node_has_known_tags_and_documentation(node: Node) -> None:
    assert node.tags and node.tags <= TAGS
    assert node.func.__doc__
    assert node.namespace is not None and node.name.startswith(f"{node.namespace}.")


@every_node
def test_tracked_nodes_take_the_address_of_the_run(node: Node) -> None:
    if node.tags & {"train", "eval"}:
        assert "params:tracking" in node.inputs
        assert any(output.endswith("_metrics") for output in node.outputs)
    else:
        assert "params:tracking" not in node.inputs


@every_node
def test_parameters_are_typed_so_that_kedro_checks_them(node: Node) -> None:
    for name, kind in parameters_of(node).items():
        assert issubclass(kind, BaseModel) and kind.model_config.get("frozen"), name


def test_parameters_are_loaded_as_their_types(catalogs: Any) -> None:
    catalog = catalogs()
    checked = set()
    for node in distinct_nodes().values():
        for name, kind in parameters_of(node).items():
            assert isinstance(catalog.load(name), kind)
            checked.add(name)
    assert checked == {
        *("params:ingest", "params:sample_world", "params:fanout", "params:resize", "params:label_filter"),
        *("params:kinetics", "params:tar_shards"),
        *(f"params:{release}" for release in ("pouring", "penn_action", "finegym")),
        *("params:rsp", "params:encoders", "params:label_miniature", "params:compare_encoders"),
        *(f"params:{stage}{task}" for stage in ("", "eval_") for task in LABELS),
        *("params:probe_clips", "params:probe_world", "params:eval_probe"),
        *("params:occupancy_chains", "params:occupancy", "params:occupancy_futures"),
        "params:occupancy_acting",
        *(f"params:voc_acting.{name}" for name in ("validation", *VOC_PARAMETERS)),
        *("params:launch", "params:folders", "params:tracking", "params:measure_video_io"),
        "params:verify",
        *(
            f"params:{model}.{name}"
            for model in (*CARL, "carl_kinetics")
            for name in ("run", "data", "model", "objective", "train")
        ),
        *(f"params:{model}.embedding" for model in (*CARL, "carl_kinetics")),
        *(f"params:{model}.validation" for model in CARL),
        "params:carl_finegym_features",
        *(f"params:{model}_original.{name}" for model in CARL for name in ("checkpoint", "embedding")),
        *(f"params:phases_{release}" for release in ("pouring", "penn_action", "finegym")),
        *("params:dmc", "params:sample_agent"),
        *(f"params:voc_tokenizer_{kind}.{name}" for kind in VOC for name in ("validation", *VOC_PARAMETERS)),
        *(
            f"params:voc_{kind}.{name}"
            for kind in (*VOC, "joint")
            for name in ("extraction", *VOC_PARAMETERS)
        ),
        *("params:voc_joint.tokenizer", "params:voc_joint.tokenizer_objective"),
        "params:voc_joint.validation",
        *(f"params:voc_{kind}.validation" for kind in VOC),
        *(f"params:voc_{kind}_released_latents" for kind in ("vae", "dino")),
        *(
            f"params:voc_{kind}_released.{name}"
            for kind in ("vae", "dino")
            for name in ("validation", *VOC_PARAMETERS)
        ),
        *("params:robonet", "params:robonet_clips", "params:frame_store.frames", "params:frame_store.views"),
        *(f"params:vqvae.{name}" for name in ("run", "data", "model", "objective", "files", "train")),
        *("params:vqvae.validation", "params:vqvae_original"),
        *(f"params:vqvae_{name}.run" for name in ("pixel", "perceptual", "clips")),
        *(f"params:vqvae_{name}.train" for name in ("pixel", "perceptual", "clips")),
        *("params:robot_episodes", "params:vpp_video", "params:vpp_video_export"),
        *(f"params:video_latents.{name}" for name in ("codec", "extraction", "export")),
        *("params:video_prediction", "params:calvin"),
        *("params:open_loop", "params:serve_policy"),
        *("params:robot_demos", "params:eval_robot"),
        *("params:vpp_policy", "params:rollout"),
        *("params:policy_items.items", "params:policy_items.export", "params:vpp_features"),
        *("params:vpp_policy", "params:rollout", "params:ablate_vpp_policy"),
        *("params:vqvae.latent_extraction", "params:measured_clips", "params:reconstruction"),
        "params:rate_distortion",
    }
    assert catalog.load("params:rsp.initialize_from") is None
    for name, field in RspParameters.model_fields.items():
        if name != "initialize_from":
            assert isinstance(catalog.load(f"params:rsp.{name}"), field.annotation)


def test_every_dataset_is_kept_under_the_data_root_with_a_layer(catalogs: Any, tmp_path: Path) -> None:
    catalog = catalogs()
    made = {dataset for pipeline in PIPELINES.values() for dataset in pipeline.all_outputs()}
    assert made
    paths = {}
    for name in made:
        dataset = catalog.get(name)  # resolves factories
        assert isinstance(dataset, LocalDataset) and not isinstance(dataset, MemoryDataset), name
        assert (dataset.metadata or {})["kedro-viz"]["layer"] in LAYERS, name
        paths[name] = Path(dataset._describe()["filepath"])
        assert paths[name].is_relative_to(tmp_path / "data"), name
    assert len(set(paths.values())) == len(paths), "two datasets share a file"


def test_environments(catalogs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The laptop trains something small, the cluster what was published."""
    laptop: TrainConfig = catalogs().load("params:rsp.train")
    assert laptop.epochs is None
    assert laptop.steps is not None and laptop.steps * laptop.batch_size < 10_000
    assert laptop.optimizer.weight_decay == 0.05  # the environments change single keys of a block
    monkeypatch.setenv("VIDREP_GPUS", "4")
    cluster = catalogs("cluster")
    train: TrainConfig = cluster.load("params:rsp.train")
    assert (train.epochs, train.steps, train.batch_size) == (400, None, 1536)
    assert (train.optimizer.base_learning_rate, train.optimizer.warmup_epochs) == (1.5e-4, 40)
    assert cluster.load("params:rsp.model") == RspModelConfig()
    frames: TrainConfig = cluster.load("params:vqvae.train")
    assert (frames.steps, frames.batch_size, frames.optimizer.betas) == (70_000, 720, (0.5, 0.9))
    assert frames.optimizer.learning_rate == frames.optimizer.minimum_learning_rate == 5e-4
    assert cluster.load("params:vqvae_clips.train").steps == 30_000
    assert cluster.load("params:vqvae.model") == VqvaeModelConfig()
    tokenizers = {"vae": VaeConfig(), "dino": VqkdConfig(), "musik": MusikConfig()}
    for kind in VOC:
        assert cluster.load(f"params:voc_tokenizer_{kind}.model") == tokenizers[kind]
        assert cluster.load(f"params:voc_{kind}.model") == VocPreset.published(kind).model
    video: VideoParameters = cluster.load("params:vpp_video")
    assert (video.train.batch_size, video.clips_per_device, video.clips.frames) == (48, 6, 16)
    assert (video.model.unet, video.mixture.shares) == (UnetConfig(), CALVIN_MIXTURE)
    assert video.objective == VideoObjectiveConfig() and video.sampling == VideoSamplingConfig()
    small: VideoParameters = catalogs().load("params:vpp_video")
    assert small.model.text.vocabulary == tuple(vocabulary())
    policy: PolicyParameters = cluster.load("params:vpp_policy")
    published = PolicyPreset.named("calvin")
    assert (policy.model, policy.objective) == (published.model, published.objective)
    assert (policy.train.batch_size, policy.items_per_device, policy.train.ema_decay) == (128, 32, 0.9999)
    assert policy.train.optimizer.schedule == "constant" and policy.decayed == "all"
    assert catalogs().load("params:vpp_policy").goal.vocabulary == tuple(vocabulary())
    launch: LaunchConfig = cluster.load("params:launch")
    assert (launch.processes, launch.device, launch.device_batch_size) == (4, "cuda", 64)


def test_cluster_refuses_to_guess_where_data_goes(catalogs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDREP_DATA")
    with pytest.raises(Exception, match="VIDREP_DATA"):
        catalogs("cluster")
