"""Evaluations of models that do not fit what they are evaluated on, and models of every kind."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.models.voc.tokenizers.tiny import make_store, musik_config, vae_config
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.codes import CodeStore, code_shard
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.data.token_episodes.file import write_token_episodes
from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.datasets.token_episodes import TokenEpisodesFile
from vidrep_pipelines.evaluation.occupancy.config import FuturesConfig, OccupancyEvaluationConfig
from vidrep_pipelines.models.voc.config import GptConfig, RewardConfig, VocModelConfig
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.tokenizers.inference import Tokenizer, assemble_token_episodes
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer
from vidrep_pipelines.pipelines.config import FoldersConfig, TrackingConfig
from vidrep_pipelines.pipelines.downstream_eval.occupancy_nodes import measure_occupancy, show_futures
from vidrep_pipelines.pipelines.pretrain.voc_config import VocRunConfig
from vidrep_pipelines.training.config import LaunchConfig

CPU = LaunchConfig(device="cpu")
SPEC: dict[str, Any] = {"task_config": {"objective": {"target": {"kind": "geometric", "gamma": 0.4}}}}
EVALUATION = OccupancyEvaluationConfig(split="validation", contexts=6, samples=3, left_out=0.1, resamples=5)
FUTURES = FuturesConfig(split="validation", contexts=1, samples=2, jumps=2, mean_samples=2)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return make_store(tmp_path_factory.mktemp("frames"))


def tokenized(folder: Path, store: FrameStore, tokenizer: Tokenizer) -> TokenEpisodesFile:
    """Token episodes of random codes."""
    rng, grid = np.random.default_rng(0), (tokenizer.grid, tokenizer.grid)
    for shard, version in store.facts.shards.items():
        views = store.table[store.table["split"] == shard.split("/")[0]]
        rows = int(views["frames"].sum())
        (folder / shard).parent.mkdir(parents=True, exist_ok=True)
        with code_shard(folder / shard, rows, grid, version) as writer:
            writer.append(rng.integers(16, size=(rows, *grid)))
    write_token_episodes(folder / "tokens.h5", assemble_token_episodes(CodeStore(folder, store), tokenizer))
    return TokenEpisodesFile(folder / "tokens.h5")


def config_for(tokens: TokenEpisodes, **changes: Any) -> VocModelConfig:
    side = tokens.grid[0]
    fields: dict[str, Any] = {
        "gpt": GptConfig(vocabulary=16, positions=4 * side * side, layers=1, heads=2, width=8),
        "grid": (side, side),
        "frame_stack": 2,
        "reward": RewardConfig(codebook_dimension=4, width=8),
    }
    return VocModelConfig(**{**fields, **changes})


def checkpoint_of(
    folder: Path, model: torch.nn.Module, config: dict[str, Any], digest: str = "abc"
) -> Checkpoint:
    folder.mkdir(parents=True)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors"
    )
    return Checkpoint(folder, config, {"digest": digest})


def occupancy_checkpoint(
    folder: Path, tokens: TokenEpisodes, config: VocModelConfig | None = None, codebook: Any = None
) -> Checkpoint:
    config = config or config_for(tokens)
    vectors = (
        None if config.reward is None else torch.from_numpy(tokens.codebook if codebook is None else codebook)
    )
    return checkpoint_of(folder / "gpt", VocModel(config, vectors), config.model_dump(mode="json"))


def measure(checkpoint: Checkpoint, tokens: TokenEpisodesFile, folder: Path, **changes: Any) -> Any:
    evaluation = EVALUATION.model_copy(update=changes)
    folders = FoldersConfig(models=folder / "models", reporting=folder / "reporting")
    tracking = TrackingConfig(enabled=False)
    return measure_occupancy(checkpoint, SPEC, tokens, VocRunConfig(), evaluation, CPU, folders, tracking)


def vae_case(folder: Path, store: FrameStore) -> tuple[TokenEpisodesFile, Checkpoint]:
    """Tokens of a tokenizer with a decoder, and its checkpoint."""
    tokenizer = VaeTokenizer(vae_config()).eval()
    source = {"kind": "vae", "model": vae_config().model_dump(mode="json")}
    return tokenized(folder / "codes", store, tokenizer), checkpoint_of(
        folder / "tokenizer", tokenizer, source
    )


def test_scores_metrics_and_values(store: FrameStore, tmp_path: Path) -> None:
    tokens, _ = vae_case(tmp_path, store)
    checkpoint = occupancy_checkpoint(tmp_path, tokens.episodes)
    values, scores, metrics = measure(checkpoint, tokens, tmp_path)
    assert set(values["episode"]) == set(tokens.episodes.in_split("validation").names)
    assert metrics["run"] == "abc" and metrics["gamma"] == 0.4 and metrics["states"] == len(values)
    assert metrics["value_error"] == scores.set_index("metric").loc["value_error", "value"]
    again, _, _ = measure(checkpoint, tokens, tmp_path)
    assert again.equals(values)
    shutil.rmtree(tmp_path / "models")
    drawn_again, _, _ = measure(checkpoint, tokens, tmp_path)
    assert drawn_again.equals(values)  # the draws follow from the seed


@pytest.mark.parametrize("actions", [False, True])
def test_futures_of_a_tokenizer_with_a_decoder(actions: bool, store: FrameStore, tmp_path: Path) -> None:
    tokens, tokenizer = vae_case(tmp_path, store)
    config = config_for(tokens.episodes)
    if actions:
        gpt = config.gpt.model_copy(update={"action_dimension": tokens.episodes.actions.shape[1]})
        config = config.model_copy(update={"gpt": gpt})
    checkpoint = occupancy_checkpoint(tmp_path, tokens.episodes, config)
    grid, film = show_futures(checkpoint, SPEC, tokens, store, tokenizer, FUTURES, CPU)
    assert len(film.frames) == 2 * 2 + 1 and film.frames.std() > 10
    assert np.asarray(grid).std() > 10
    assert len(measure(checkpoint, tokens, tmp_path)[0])


def test_futures_of_a_tokenizer_without_a_decoder_are_real_frames(store: FrameStore, tmp_path: Path) -> None:
    tokenizer = MusikTokenizer(musik_config()).eval()
    tokens = tokenized(tmp_path / "codes", store, tokenizer)
    source = checkpoint_of(
        tmp_path / "tokenizer", tokenizer, {"kind": "musik", "model": musik_config().model_dump(mode="json")}
    )
    checkpoint = occupancy_checkpoint(tmp_path, tokens.episodes)
    grid, film = show_futures(checkpoint, SPEC, tokens, store, source, FUTURES, CPU)
    assert len(film.frames) == 5 and np.asarray(grid).std() > 10


def test_tokens_of_another_tokenizer_are_refused(store: FrameStore, tmp_path: Path) -> None:
    tokens, tokenizer = vae_case(tmp_path, store)
    assert tokens.episodes.codebook is not None
    other = occupancy_checkpoint(tmp_path, tokens.episodes, codebook=tokens.episodes.codebook + 1)
    with pytest.raises(InputError, match=r"another tokenizer: the codebooks differ.*Remedy"):
        measure(other, tokens, tmp_path)
    with pytest.raises(InputError, match="another tokenizer"):
        show_futures(other, SPEC, tokens, store, tokenizer, FUTURES, CPU)


def test_another_tokenizer_than_that_of_the_tokens_is_refused(store: FrameStore, tmp_path: Path) -> None:
    tokens, _ = vae_case(tmp_path, store)
    _, other = vae_case(tmp_path / "other", store)
    checkpoint = occupancy_checkpoint(tmp_path, tokens.episodes)
    with pytest.raises(InputError, match=r"Tokenizer and tokens do not belong together.*Remedy"):
        show_futures(checkpoint, SPEC, tokens, store, other, FUTURES, CPU)


def test_sizes_that_differ_are_named(store: FrameStore, tmp_path: Path) -> None:
    tokens, _ = vae_case(tmp_path, store)
    config = config_for(tokens.episodes, grid=(2, 3))
    with pytest.raises(ConfigurationError, match=r"model\.grid is \(2, 3\), but the tokens have"):
        measure(occupancy_checkpoint(tmp_path, tokens.episodes, config), tokens, tmp_path)


def test_a_model_without_a_reward_head_has_no_values(store: FrameStore, tmp_path: Path) -> None:
    tokens, _ = vae_case(tmp_path, store)
    checkpoint = occupancy_checkpoint(tmp_path, tokens.episodes, config_for(tokens.episodes, reward=None))
    with pytest.raises(ConfigurationError, match=r"no reward head.*set model\.reward"):
        measure(checkpoint, tokens, tmp_path)


def test_an_empty_split_is_named(store: FrameStore, tmp_path: Path) -> None:
    tokens, _ = vae_case(tmp_path, store)
    checkpoint = occupancy_checkpoint(tmp_path, tokens.episodes)
    with pytest.raises(InputError, match=r"split 'test'.*train.*validation.*another occupancy\.split"):
        measure(checkpoint, tokens, tmp_path, split="test")
