"""The networks that metrics need: files that the user supplies; a metric without its file is left out."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidrep_pipelines.common.digest import digest_of_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig

FrameDistance = Callable[[Tensor, Tensor], Tensor]
"""Maps two (N, 3, H, W) in 0..1 to (N,)."""

Features = Callable[[Tensor], Tensor]
"""Maps (B, T, 3, H, W) clips, or (N, 3, H, W) frames, in 0..1 to (B, D)."""

MIN_CLIP_FRAMES = 9
"""I3D reduces time by 8 and then pools two steps."""

_HOW_TO_GET = {
    "lpips": "LPIPS is left out. It needs two files: vgg16-397923af.pth, the ImageNet weights that "
    "torchvision publishes (parameter vgg16), and vgg.pth, the VGG heads of LPIPS 0.1 in the repository "
    "richzhang/PerceptualSimilarity (parameter perceptual_heads).",
    "fvd": "The Frechet video distance is left out. It needs i3d_torchscript.pt, the Kinetics-400 I3D of the "
    "repository universome/fvd-comparison (parameter action_features).",
    "fid": "The Frechet distance of frames is left out. It needs inception-2015-12-05.pt, the TorchScript "
    "Inception-v3 that NVIDIA publishes with StyleGAN2-ADA (parameter frame_features).",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeatureNetwork:
    """A network whose features are compared.

    Attributes:
        features: The network.
        digest: Digest of the network's file.
    """

    features: Features
    digest: str


@dataclass(frozen=True)
class MetricNetworks:
    """The networks that are there.

    Attributes:
        perceptual: The distance that LPIPS is.
        clips: The network of the Frechet video distance.
        frames: The network of the Frechet distance of frames.
        skipped: One line per metric that is left out, with how to get what it needs.
        remarks: One line per file that fits a network and is not the published one.
    """

    perceptual: FrameDistance | None = None
    clips: FeatureNetwork | None = None
    frames: FeatureNetwork | None = None
    skipped: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


NETWORKS = ("lpips", "fvd", "fid")
"""Metrics that need a network."""


def load_networks(
    config: ReconstructionEvaluationConfig, device: torch.device, wanted: Collection[str] = NETWORKS
) -> MetricNetworks:
    """Loads the networks whose files are given.

    A file that is absent or holds another network costs its own metric only: the reason is logged as an error
    and stands in ``skipped``, where the report shows it.

    Args:
        config: Says where the files are.
        device: Where the networks are to be.
        wanted: Those of ``NETWORKS`` that are used; nothing is said of others.
    """
    loaders: dict[str, Callable[[], Any]] = {
        "lpips": lambda: _perceptual(config.vgg16, config.perceptual_heads, device),
        "fvd": lambda: config.action_features and load_clip_features(config.action_features, device),
        "fid": lambda: config.frame_features and load_frame_features(config.frame_features, device),
    }
    networks: dict[str, Any] = {}
    skipped: list[str] = []
    for name in [name for name in loaders if name in wanted]:
        try:
            networks[name] = loaders[name]()
        except InputError as error:
            skipped.append(f"{name} is left out. {error}")
            _log.error(skipped[-1])
            continue
        if networks[name] is None:
            skipped.append(_HOW_TO_GET[name])
            _log.warning(skipped[-1])
    remarks = _unknown_files(config) if networks.get("lpips") else ()
    lpips, fvd, fid = (networks.get(name) for name in NETWORKS)
    return MetricNetworks(lpips, fvd, fid, tuple(skipped), remarks)


def _unknown_files(config: ReconstructionEvaluationConfig) -> tuple[str, ...]:
    from vidrep_pipelines.models.layers.perceptual_distance import unknown_files  # noqa: PLC0415

    assert config.vgg16 is not None and config.perceptual_heads is not None  # else there is no network
    return tuple(unknown_files(config.vgg16, config.perceptual_heads))


def load_clip_features(path: Path, device: torch.device) -> FeatureNetwork:
    """Loads the network of the Frechet video distance and tries it on a clip.

    Raises:
        InputError: There is no such file, or it holds another network.
    """
    from vidrep_pipelines.models.layers.action_features import ActionFeatures  # noqa: PLC0415

    digest = _noted(path)
    network = ActionFeatures.load(path).to(device)
    with torch.inference_mode():
        try:
            network(torch.zeros(1, MIN_CLIP_FRAMES, 3, 16, 16, device=device))
        except InputError as error:
            raise InputError(f"{path} holds another network. {error}") from error
    return FeatureNetwork(network, digest)


def load_frame_features(path: Path, device: torch.device) -> FeatureNetwork:
    """Loads the published Inception-v3, ``(uint8 (N, 3, H, W), return_features) -> (N, D)``.

    It is TorchScript, a program, and therefore known by its SHA-256; no other is run.

    Raises:
        InputError: There is no such file, or it is another one.
    """
    from vidrep_pipelines.models.layers.published_program import load_published_program  # noqa: PLC0415

    digest = _noted(path)
    module = load_published_program(path, "inception-2015-12-05.pt", _HOW_TO_GET["fid"]).to(device)

    def features(frames: Tensor) -> Tensor:
        levels = (frames.clamp(0, 1) * 255).round().to(torch.uint8)
        vectors: Tensor = module(levels, return_features=True)
        return vectors

    try:
        shape = tuple(features(torch.zeros(2, 3, 64, 64, device=device)).shape)
    except (RuntimeError, AttributeError) as error:
        raise InputError(
            f"{path} holds another network: it does not take 8-bit frames and return_features "
            f"({_first_line(error)}). {_HOW_TO_GET['fid']}"
        ) from error
    if len(shape) != 2 or shape[0] != 2:
        raise InputError(f"{path} holds another network: two frames give {shape}. {_HOW_TO_GET['fid']}")
    return FeatureNetwork(features, digest)


def _perceptual(trunk: Path | None, heads: Path | None, device: torch.device) -> FrameDistance | None:
    from vidrep_pipelines.models.layers.perceptual_distance import PerceptualDistance  # noqa: PLC0415

    if trunk is None and heads is None:
        return None
    if trunk is None or heads is None:
        raise InputError("It needs two files: set both vgg16 and perceptual_heads, or none of them.")
    for path in (trunk, heads):
        _noted(path)
    return PerceptualDistance.load(trunk, heads).to(device).eval()


def _noted(path: Path) -> str:
    """Digest of a file, which is logged: results by different files must not be compared."""
    if not path.is_file():
        raise InputError(f"There is no file {path}. Correct the parameter or set it to null.")
    digest = digest_of_file(path)
    _log.info("metric network %s, digest %s", path, digest)
    return digest


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
