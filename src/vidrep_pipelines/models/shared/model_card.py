"""The page that lies beside weights: what they are, where they came from, how they are used.

The head of a card is what hubs of models read (``library_name``, ``tags``); people read the rest.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

CARD = "README.md"
"""The name under which hubs show a card."""

CardLayout = Literal["ours", "original", "timm", "diffusers"]
"""What the folder holds: a checkpoint of the catalog, a file as the original authors publish theirs, or what
another library opens by itself."""


@dataclass(frozen=True)
class _Described:
    """A system as its card tells of it."""

    title: str
    paper: str
    gives: str | None = None
    """What ``encode`` makes of frames; none where a model is not asked for features of frames."""


_TOKENIZER = "Video Occupancy Models, arXiv 2407.09533: the tokenizer"
_CODES = "`codes`, the entries of the codebook in `maps`, and their mean in `vectors`"
_SYSTEMS: Mapping[str, _Described] = {
    "rsp": _Described(
        "RSP",
        "Visual Representation Learning with Stochastic Frame Prediction, ICML 2024, arXiv 2406.07398",
        "the class token in `vectors`, the tokens of the patches in `maps`",
    ),
    "vqvae": _Described(
        "FEVD-VQVAE",
        "Frame-aware encoding, video-aware decoding VQ-VAE, 2022",
        "`codes`, the latents before quantization in `maps`, and their mean in `vectors`",
    ),
    "carl": _Described(
        "CARL",
        "Frame-wise Action Representations for Long Videos via Sequence Contrastive Learning, CVPR 2022, "
        "arXiv 2203.14957",
        "one embedding for each frame in `vectors`, which depends on the frames around it",
    ),
    "voc_vae": _Described("VOC tokenizer vae", f"{_TOKENIZER} that reconstructs frames", _CODES),
    "voc_dino": _Described("VOC tokenizer dino", f"{_TOKENIZER} that reconstructs DINO's features", _CODES),
    "voc_musik": _Described("VOC tokenizer musik", f"{_TOKENIZER} that predicts actions", _CODES),
    "voc": _Described("VOC", "Video Occupancy Models, arXiv 2407.09533: the discounted future of tokens"),
    "voc_joint": _Described("VOC, joint", "Video Occupancy Models, arXiv 2407.09533, trained from pixels"),
    "vpp_video": _Described(
        "VPP, video model",
        "Video Prediction Policy, ICML 2025, arXiv 2412.14803: text-guided video diffusion",
        "features of the future that follows each frame in `maps`, and their mean in `vectors`",
    ),
    "vpp_policy": _Described(
        "VPP, policy",
        "Video Prediction Policy, ICML 2025, arXiv 2412.14803: a diffusion policy on its features",
    ),
}

_FILES: Mapping[CardLayout, Mapping[str, str]] = {
    "ours": {
        "model.safetensors": "the weights",
        "config.json": "what rebuilds the model",
        "meta.json": "where it came from, and the digest of the weights, by which damage is found",
    },
    "original": {
        "original_checkpoint.pth": "the weights under the names of the original repository",
        "original_checkpoint.json": "what rebuilds the model, and where it came from",
    },
    "timm": {
        "model.safetensors": "the image encoder's weights under timm's names",
        "config.json": "as timm reads it, and what rebuilds the whole model (`vidrep`)",
        "meta.json": "where it came from, and the digest of the weights",
    },
    "diffusers": {
        "unet/, scheduler/, model_index.json": "as diffusers reads them; an autoencoder can be put beside",
        "conditioning.safetensors": "the weights of what turns an instruction into what the UNet is told",
        "config.json, meta.json": "what rebuilds the model, and where it came from",
    },
}
_TIMM = """
Or by timm alone:

```python
import timm

encoder = timm.create_model("local-dir:.", pretrained=True)  # the folder of this page
tokens = encoder.forward_features(images)  # (B, 3, S, S), standardized as in config.json -> (B, 1 + L, E)
```
"""
_LIMITS = """## Limits

Nothing is known of what it does on videos unlike those that it was trained on. The weights are under the
terms of those videos, and of the weights that training started from, if any.
"""


def model_card(config: Mapping[str, Any], meta: Mapping[str, Any], layout: CardLayout = "ours") -> str:
    """The card of a trained model; it follows from the arguments alone: equal models have equal cards.

    Args:
        config: What rebuilds the model, as plain data.
        meta: Where it came from: system, step, passes, digest, metrics. What is missing is left out.
        layout: What the folder holds.
    """
    system = system_of(config, meta)
    described = _SYSTEMS.get(system, _Described(system, ""))
    parts = [
        _head(system),
        f"# {described.title}, trained with vidrep-pipelines\n",
        _origin(described, meta),
        _use(described, layout),
        _TIMM if layout == "timm" else "",
        _files(layout),
        "## Configuration\n\n```json\n" + json.dumps(config, indent=1, default=str) + "\n```\n",
        _LIMITS,
    ]
    return "\n".join(part.strip("\n") + "\n" for part in parts if part)


def system_of(config: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    """The system of a checkpoint; a tokenizer that was trained in one run with a GPT is a tokenizer, too."""
    kind = f"voc_{config.get('kind')}"
    return kind if kind in _SYSTEMS and "model" in config else str(meta.get("system", "model"))


def _head(system: str) -> str:
    tags = "\n".join(f"- {tag}" for tag in ("video", "representation-learning", system.replace("_", "-")))
    return (
        f"---\nlibrary_name: vidrep-pipelines\npipeline_tag: image-feature-extraction\ntags:\n{tags}\n---\n"
    )


def _origin(described: _Described, meta: Mapping[str, Any]) -> str:
    metrics = meta.get("metrics") or {}
    measured = ", ".join(f"{name} {_number(value)}" for name, value in metrics.items())
    rows = {
        "paper": described.paper,
        "updates": meta.get("step"),
        "passes over the data": _number(meta.get("passes")),
        "run": f"`{meta['digest']}`" if meta.get("digest") else None,
        "last measured while training": measured,
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items() if value not in (None, "")]
    return "\n".join(["| | |", "|---|---|", *lines])


def _number(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else value


def _use(described: _Described, layout: CardLayout) -> str:
    if described.gives is None:
        return (
            "## Use\n\nBy the pipelines of vidrep-pipelines that take this checkpoint from their catalog.\n"
        )
    path, what = (".", "the folder of this page")
    if layout == "original":
        path, what = "original_checkpoint.pth", "this file"
    return f"""## Use

```python
import vidrep_pipelines

model = vidrep_pipelines.load("{path}")  # {what}
encoding = model.encode(frames)  # (B, T, 3, H, W), uint8 in 0..255 or float in 0..1
```

It gives {described.gives}.
"""


def _files(layout: CardLayout) -> str:
    lines = [f"| `{name}` | {what} |" for name, what in _FILES[layout].items()]
    return "\n".join(
        ["## Files\n", "| file | holds |", "|---|---|", *lines, "\nNone of them is a program.\n"]
    )
