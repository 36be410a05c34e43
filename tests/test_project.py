"""What users write by name: current names, former ones, misspelled ones."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.project import settings
from kedro.io import DatasetNotFoundError

from tests.helpers.project import bootstrap
from vidrep_pipelines.common import former_names
from vidrep_pipelines.project import ProjectCatalog, ProjectSession

Open = Callable[..., Any]


@pytest.fixture(autouse=True)
def nothing_said() -> Iterator[None]:
    former_names._say.cache_clear()
    yield
    former_names._say.cache_clear()


@pytest.fixture
def session(project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a session as ``kedro run`` does, with a data folder of the test's own."""
    monkeypatch.setenv("VIDREP_DATA", str(tmp_path / "data"))

    def create(**options: Any) -> ProjectSession:
        bootstrap()
        created: ProjectSession = settings.SESSION_CLASS.create(project_root, **options)
        return created

    return create


@pytest.fixture(scope="module")
def catalog(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> ProjectCatalog:
    """One for all tests that only look names up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDREP_DATA", str(tmp_path_factory.mktemp("data")))
        bootstrap()
        with settings.SESSION_CLASS.create(project_root) as opened:
            found: ProjectCatalog = opened.load_context().catalog
    return found


# --- datasets


@pytest.mark.parametrize(
    "name",
    [
        "rps_checkpoint",
        "rps.checkpoint",
        "rsp_chekpoint",
        "rsp.train_logs",
        "vqave.codes",
        "voc_dina.codes",
        "voc_tokenizer_vea_checkpoint",
        "puoring_video_frames",
        "davs.summary",
        "carl.occupancy_film",  # CARL has none
        "frame_stores",
        "davs.propagated_arrays",  # no pipeline reads its right name
    ],
)
def test_a_misspelled_dataset_is_an_error_that_names_it(catalog: ProjectCatalog, name: str) -> None:
    assert name not in catalog and catalog.get(name) is None and not catalog.exists(name)
    with pytest.raises(DatasetNotFoundError, match=f"'{name}' not found"):
        catalog.load(name)


def test_nothing_is_said_of_a_former_name_that_there_never_was(
    catalog: ProjectCatalog, caplog: pytest.LogCaptureFixture
) -> None:
    assert catalog.get("rps.checkpoint") is None
    assert "rps_checkpoint" not in caplog.text


@pytest.mark.parametrize(
    "name",
    ["rsp_checkpoint", "frame_store", "rsp.train_log", "vqvae_pixel.code_use", "davis.propagated_arrays"],
)
def test_a_dataset_is_found_by_its_name(catalog: ProjectCatalog, name: str) -> None:
    assert name in catalog
    assert not catalog.exists(name)


@pytest.mark.parametrize(
    ("former", "place"),
    [
        ("rsp.checkpoint", "06_models/rsp/checkpoint"),
        ("voc_dino_tokenizer.checkpoint", "06_models/voc_dino_tokenizer/checkpoint"),
        ("voc_dino_tokenizer.train_log", "08_reporting/voc_dino_tokenizer/train_log.parquet"),
        ("pouring.labelled_videos", "05_model_input/pouring_labels"),
        ("dmc.frames", "05_model_input/dmc_frames"),
        ("policy_items.statistics", "05_model_input/policy_statistics.json"),
    ],
)
def test_a_former_dataset_is_loaded_from_where_it_lies(
    catalog: Any, former: str, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert former in catalog
    found = catalog.get(former)
    models = Path(catalog.get("params:folders").load().models)
    assert Path(found._describe()["filepath"]) == models.parent / place
    assert found is catalog.get(former_names.current_dataset(former))
    assert f"{former} is called {former_names.current_dataset(former)} now" in caplog.text


def test_an_entry_of_the_users_own_keeps_its_name(
    project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(project_root / "conf", conf)
    entry = "mine.checkpoint: {type: kedro.io.MemoryDataset, data: 3}\n"
    (conf / "laptop/catalog.yml").write_text(entry)
    monkeypatch.setenv("VIDREP_DATA", str(tmp_path))
    bootstrap()
    with settings.SESSION_CLASS.create(project_root, conf_source=str(conf)) as opened:
        assert opened.load_context().catalog.load("mine.checkpoint") == 3


def _with_entries(project_root: Path, folder: Path, entries: str) -> Any:
    """A catalog with what a user has written into a file of their own."""
    conf = folder / "conf"
    shutil.copytree(project_root / "conf", conf)
    (conf / "laptop/catalog_mine.yml").write_text(entries)
    bootstrap()
    with settings.SESSION_CLASS.create(project_root, conf_source=str(conf)) as opened:
        return opened.load_context().catalog


@pytest.mark.parametrize(
    ("former", "current"),
    [
        ("rsp.checkpoint", "rsp_checkpoint"),
        ("voc_dino_tokenizer.train_log", "voc_tokenizer_dino.train_log"),
        ("dmc.frames", "dmc_frames"),
    ],
)
def test_an_entry_under_a_former_name_places_the_dataset_that_pipelines_use(
    project_root: Path, tmp_path: Path, former: str, current: str, caplog: pytest.LogCaptureFixture
) -> None:
    own = _with_entries(project_root, tmp_path, f"{former}: {{type: kedro.io.MemoryDataset, data: 3}}\n")
    assert own.load(current) == own.load(former) == 3
    assert f"{former} is called {current} now" in caplog.text


def test_a_factory_under_a_former_name_places_the_datasets_that_pipelines_use(
    project_root: Path, tmp_path: Path
) -> None:
    entry = '"{model}.checkpoint": {type: kedro.io.MemoryDataset, data: "of {model}"}\n'
    own = _with_entries(project_root, tmp_path, entry)
    assert own.load("rsp_checkpoint") == own.load("rsp.checkpoint") == "of rsp"
    assert "rps.checkpoint" not in own


def test_an_entry_under_the_current_name_counts_more_than_one_under_the_former(
    project_root: Path, tmp_path: Path
) -> None:
    entries = "".join(
        f"{name}: {{type: kedro.io.MemoryDataset, data: {name}}}\n"
        for name in ("rsp_checkpoint", "rsp.checkpoint")
    )
    assert _with_entries(project_root, tmp_path, entries).load("rsp.checkpoint") == "rsp_checkpoint"


def test_factories_of_the_users_own_answer_for_whatever_they_match(
    project_root: Path, tmp_path: Path
) -> None:
    entries = "".join(
        f'"{pattern}": {{type: kedro.io.MemoryDataset, data: "{{x}}"}}\n'
        for pattern in ("mine_{x}", "{x}.mine")
    )
    own = _with_entries(project_root, tmp_path, entries)
    assert (own.load("mine_a"), own.load("first_try.mine"), own.load("rsp.mine")) == ("a", "first_try", "rsp")


# --- parameters


def test_former_parameters_on_the_command_line(session: Open, caplog: pytest.LogCaptureFixture) -> None:
    given = {"voc_dino_tokenizer": {"train": {"steps": 61}}, "dmc": {"agent": {"episodes": 7}}}
    catalog = session(runtime_params=given).load_context().catalog
    assert catalog.load("params:voc_tokenizer_dino.train").steps == 61
    assert catalog.load("params:voc_tokenizer_dino.train").batch_size == 16  # the rest is that of the laptop
    assert catalog.load("params:sample_agent").episodes == 7
    assert "voc_dino_tokenizer is called voc_tokenizer_dino now" in caplog.text
    assert "dmc.agent is called sample_agent now" in caplog.text


def test_former_parameters_in_an_environment_of_the_users_own(
    project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(project_root / "conf", conf)
    (conf / "mine").mkdir()
    (conf / "mine/parameters.yml").write_text("dmc: {agent: {episodes: 5}}\nlaunch: {loader_workers: 1}\n")
    (conf / "mine/parameters_voc.yml").write_text("voc_vae_tokenizer: {train: {steps: 5, batch_size: 6}}\n")
    (conf / "mine/globals.yml").write_text(
        "weight_files: {vgg16: /files/vgg16.pth, lpips_heads: /files/vgg.pth}\n"
    )
    monkeypatch.setenv("VIDREP_DATA", str(tmp_path))
    bootstrap()
    given = {"voc_vae_tokenizer": {"train": {"steps": 7}}, "carl": {"data": {"sampling": {"frames": 9}}}}
    with settings.SESSION_CLASS.create(
        project_root, env="mine", conf_source=str(conf), runtime_params=given
    ) as opened:
        catalog = opened.load_context().catalog
    train = catalog.load("params:voc_tokenizer_vae.train")
    assert (train.steps, train.batch_size) == (7, 6)  # the command line counts more than a file
    assert catalog.load("params:sample_agent").episodes == 5
    assert catalog.load("params:dmc").replay_buffer is None
    # One name per weight file and one place per length, whoever uses them:
    assert str(catalog.load("params:vqvae.files").perceptual_trunk) == "/files/vgg16.pth"
    assert str(catalog.load("params:voc_joint.tokenizer_objective").perceptual_trunk) == "/files/vgg16.pth"
    assert catalog.load("params:carl.model").frames == 9
    assert catalog.load("params:carl_finegym.model").frames == 240


def test_a_file_may_refer_to_parameters_by_former_names(
    project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(project_root / "conf", conf)
    (conf / "mine").mkdir()
    (conf / "mine/parameters.yml").write_text(
        "dmc: {agent: {episodes: 70}}\n"
        "voc_vae_tokenizer: {train: {steps: 50}}\n"
        "mine: ['${voc_vae_tokenizer.train.steps}', '${dmc.agent.episodes}', 'a ${dmc.agent.episodes}']\n"
    )
    bootstrap()
    with settings.SESSION_CLASS.create(project_root, env="mine", conf_source=str(conf)) as opened:
        assert opened.load_context().catalog.load("params:mine") == [50, 70, "a 70"]


def test_one_block_in_two_files_of_an_environment_is_refused_under_either_name(
    project_root: Path, tmp_path: Path
) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(project_root / "conf", conf)
    (conf / "laptop/parameters_mine.yml").write_text("dmc: {agent: {episodes: 70}}\n")
    bootstrap()
    with (
        settings.SESSION_CLASS.create(project_root, conf_source=str(conf)) as opened,
        pytest.raises(ValueError, match="Duplicate keys"),
    ):
        opened.load_context().catalog.load("params:sample_agent")


def test_former_parameters_are_loaded_by_name(catalog: ProjectCatalog) -> None:
    assert catalog.load("params:dmc.agent") is not None
    assert catalog.load("params:dmc.agent") == catalog.load("params:sample_agent")
    assert catalog.load("params:dmc.agent.episodes") == catalog.load("params:sample_agent").episodes
    former, current = "params:voc_dino_tokenizer.train", "params:voc_tokenizer_dino.train"
    assert catalog.load(former) == catalog.load(current)


def test_a_misspelled_block_is_refused_under_the_name_that_was_given(session: Open) -> None:
    with pytest.raises(Exception, match=r"'voc_dina_tokenizer\.train\.steps'.*voc_tokenizer_dino\.train"):
        session(runtime_params={"voc_dina_tokenizer": {"train": {"steps": 1}}}).run(
            pipeline_names=["pretrain_voc_dino"]
        )


# --- what is run


@pytest.fixture
def selected(session: Open, monkeypatch: pytest.MonkeyPatch) -> Callable[..., set[str]]:
    """Gives the nodes that a run would run."""

    def nodes(**options: Any) -> set[str]:
        found: set[str] = set()

        def run(runner: Any, pipeline: Any, *_: Any, **__: Any) -> dict[str, Any]:
            found.update(node.name for node in pipeline.nodes)
            return {}

        monkeypatch.setattr("kedro.runner.SequentialRunner.run", run)
        session().run(**options)
        return found

    return nodes


def test_former_nodes_datasets_and_namespaces_select_what_they_did(
    selected: Callable[..., set[str]], caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = {"pipeline_names": ["pretrain_voc_dino"]}
    after = selected(**pipeline, from_nodes=["voc_tokenizer_dino.train"])
    assert "voc_dino.train" in after and "voc_tokenizer_dino.plan" not in after
    assert selected(**pipeline, from_nodes=["voc_dino_tokenizer.train"]) == after
    until = selected(**pipeline, to_outputs=["voc_tokenizer_dino_checkpoint"])
    assert "voc_tokenizer_dino.train" in until and "voc_dino.train" not in until
    assert selected(**pipeline, to_outputs=["voc_dino_tokenizer.checkpoint"]) == until
    own = selected(**pipeline, namespaces=["voc_dino_tokenizer"])
    assert own and all(name.startswith("voc_tokenizer_dino.") for name in own)
    reading = selected(pipeline_names=["pretrain_voc_dino"], from_inputs=["dmc.frames"])
    assert "voc_tokenizer_dino.plan" in reading and "dmc.assemble_frames" not in reading
    assert caplog.text.count("voc_dino_tokenizer is called voc_tokenizer_dino now") == 1


def test_former_pipelines_run_under_their_new_name(
    selected: Callable[..., set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(former_names.PIPELINES, "render", "ingest")
    assert selected(pipeline_names=["render"]) == selected(pipeline_names=["ingest"])


# --- what a new user sees


def test_listing_the_pipelines_warns_of_nothing(project_root: Path) -> None:
    environment = {**os.environ, "PYTHONWARNINGS": "always"}
    command = [sys.executable, "-m", "kedro", "registry", "list"]
    run = subprocess.run(
        command, cwd=project_root, env=environment, capture_output=True, text=True, check=True
    )
    assert "- pretrain_rsp" in run.stdout
    assert "naming convention" not in run.stdout + run.stderr
    assert "vidrep_pipelines" not in run.stdout + run.stderr
