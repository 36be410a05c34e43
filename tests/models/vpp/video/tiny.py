"""A video diffusion that is small enough for every test, and batches for it."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidrep_pipelines.models.vpp.video.config import (
    ImageConditionConfig,
    TextConfig,
    UnetConfig,
    VideoModelConfig,
)
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion
from vidrep_pipelines.models.vpp.video.objective import VideoRandomness, draw_video_randomness
from vidrep_pipelines.models.vpp.video.text import text_tokenizer

FRAMES, CHANNELS, SIDE = 4, 4, 8
SHAPE = (FRAMES, CHANNELS, SIDE, SIDE)
"""(F, C, h, w) of a sample's latents."""

VOCABULARY = ("push", "lift", "the", "red", "blue", "cup", "ball", "to", "left", "right", "up")

UNET = UnetConfig(
    channels=(32, 64),
    attention=(True, False),
    layers_per_block=1,
    heads=(2, 4),
    cross_attention_dimension=32,
    time_embedding_dimension=16,
    latent_channels=CHANNELS,
    sample_size=SIDE,
)
TEXT = TextConfig(kind="own", tokens=8, width=32, depth=1, heads=2, vocabulary=VOCABULARY, duplicate=False)
CONFIG = VideoModelConfig(unet=UNET, text=TEXT, condition_scale=1.0)

TEXTS = ("push the red cup to the left", "lift the blue ball up", "push the blue cup to the right")


def make_video_model(config: VideoModelConfig = CONFIG, seed: int = 0) -> VideoDiffusion:
    """A random model in evaluation mode."""
    torch.manual_seed(seed)
    return VideoDiffusion(config).eval()


def make_latents(batch: int = 3, seed: int = 0) -> Tensor:
    """(B, F, C, h, w)."""
    return torch.randn(batch, *SHAPE, generator=torch.Generator().manual_seed(seed))


def make_tokens(batch: int = 3, config: TextConfig = TEXT) -> tuple[Tensor, Tensor]:
    """Numbers and mask (B, L) of different instructions."""
    return text_tokenizer(config)([TEXTS[row % len(TEXTS)] for row in range(batch)])


def make_video_randomness(batch: int = 3, seed: int = 0) -> VideoRandomness:
    """What a step draws."""
    return draw_video_randomness(torch.arange(batch) + 100 * seed, SHAPE, "cpu")


def write_clip_folder(folder: Path, width: int = 16, seed: int = 0) -> TextConfig:
    """A random CLIP text model with a tokenizer of letters, in transformers' layout.

    Returns:
        The configuration that reads it.
    """
    from vidrep_pipelines.compat import transformers

    letters = [chr(number) for number in range(ord("a"), ord("z") + 1)]
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    numbers = {token: number for number, token in enumerate(vocabulary)}
    sizes: dict[str, Any] = {
        "vocab_size": len(numbers),
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "projection_dim": width,
        "bos_token_id": numbers["<|startoftext|>"],
        "eos_token_id": numbers["<|endoftext|>"],
        "pad_token_id": numbers["<|endoftext|>"],
    }
    torch.manual_seed(seed)
    model = transformers.CLIPTextModelWithProjection(transformers.CLIPTextConfig(**sizes))
    model.save_pretrained(str(folder))
    (folder / "vocab.json").write_text(json.dumps(numbers))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return TextConfig(kind="clip", folder=folder, width=width, tokens=40, duplicate=True)


def write_clip_image_folder(folder: Path, width: int = 16, seed: int = 0) -> ImageConditionConfig:
    """A random CLIP image model with its projection, of pictures of 16 x 16, in transformers' layout.

    Returns:
        The configuration that reads it.
    """
    from vidrep_pipelines.compat import transformers

    sizes: dict[str, Any] = {
        "hidden_size": 24,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 16,
        "patch_size": 8,
        "projection_dim": width,
    }
    torch.manual_seed(seed)
    model = transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig(**sizes))
    model.save_pretrained(str(folder))
    return ImageConditionConfig(folder=folder, width=width)


def with_other_camera(config: VideoModelConfig, image: ImageConditionConfig) -> VideoModelConfig:
    """The same model, whose tokens leave room for what another camera saw."""
    width = config.unet.cross_attention_dimension - image.width
    text = config.text.model_copy(update={"width": width, "duplicate": False, "image": image})
    return VideoModelConfig(unet=config.unet, text=text, condition_scale=config.condition_scale)
