from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.models.vpp.video.tiny import TEXTS, VOCABULARY, write_clip_folder
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.vpp.policy.config import GoalConfig
from vidrep_pipelines.models.vpp.policy.goal import goal_encoder


def test_words_and_their_places_tell_instructions_apart() -> None:
    encode = goal_encoder(GoalConfig(kind="words", tokens=9, vocabulary=VOCABULARY))
    goals = encode(["push the red cup", "push red the cup"])
    assert goals.shape == (2, 1, encode.width) and encode.width == 9 * len(VOCABULARY)
    assert goals.dtype == torch.float32 and goals.sum(dim=2).tolist() == [[4.0], [4.0]]
    assert not torch.equal(goals[0], goals[1])
    with pytest.raises(InputError, match="no word 'sing'"):
        encode(["sing"])


def test_clip_goals_are_those_of_transformers(tmp_path: Path) -> None:
    from vidrep_pipelines.compat import transformers

    write_clip_folder(tmp_path)
    encode = goal_encoder(GoalConfig(folder=tmp_path, tokens=40))
    reference = transformers.CLIPTextModelWithProjection.from_pretrained(str(tmp_path))
    tokenizer = transformers.CLIPTokenizer.from_pretrained(str(tmp_path))
    goals = encode(TEXTS)
    with torch.no_grad():
        for text, goal in zip(TEXTS, goals, strict=True):  # alone and without padding
            expected = reference(**tokenizer([text], return_tensors="pt")).text_embeds
            torch.testing.assert_close(goal, expected, atol=1e-5, rtol=1e-4)
    assert goals.shape == (3, 1, encode.width) and not goals.requires_grad


def test_a_folder_without_projection_is_refused(tmp_path: Path) -> None:
    write_clip_folder(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"no projection.*Remedy"):
        goal_encoder(GoalConfig(folder=tmp_path))
    with pytest.raises(ConfigurationError, match=r"goal\.folder is not set.*Remedy"):
        goal_encoder(GoalConfig())


def test_words_are_needed_and_told_apart() -> None:
    with pytest.raises(ValueError, match="need the words"):
        GoalConfig(kind="words")
    with pytest.raises(ValueError, match="occurs twice"):
        GoalConfig(kind="words", vocabulary=("up", "up"))
