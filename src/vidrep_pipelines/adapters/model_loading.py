"""A trained model from wherever it lies: a checkpoint of the catalog, an export, an object store."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vidrep_pipelines.adapters.loaded_models import (
    LoadedCarl,
    LoadedModel,
    LoadedRsp,
    LoadedTokenizer,
    LoadedVideoModel,
    LoadedVqvae,
)
from vidrep_pipelines.common.config import at_home
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.foreign_weights import check_weight_file
from vidrep_pipelines.data.files.remote_folders import fetch_files
from vidrep_pipelines.models.carl import checkpoint_io as carl_io
from vidrep_pipelines.models.carl.config import CarlDataConfig, CarlModelConfig
from vidrep_pipelines.models.carl.inference import TrainedCarl
from vidrep_pipelines.models.carl.model import CarlModel
from vidrep_pipelines.models.rsp import checkpoint_io as rsp_io
from vidrep_pipelines.models.rsp.config import RspModelConfig
from vidrep_pipelines.models.rsp.inference import image_encoder
from vidrep_pipelines.models.shared.catalog_checkpoint import (
    CONFIG,
    META,
    WEIGHTS,
    Checkpoint,
    read_json_object,
    read_meta,
)
from vidrep_pipelines.models.shared.model_card import system_of
from vidrep_pipelines.models.voc.tokenizers.inference import TokenizerSource
from vidrep_pipelines.models.vpp.video.codec import load_codec
from vidrep_pipelines.models.vpp.video.export import load_exported_video_model
from vidrep_pipelines.models.vpp.video.inference import VideoPredictor
from vidrep_pipelines.models.vpp.video.text import text_tokenizer
from vidrep_pipelines.models.vqvae import checkpoint_io as vqvae_io
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig, VqvaeModelConfig
from vidrep_pipelines.models.vqvae.inference import TrainedVqvae
from vidrep_pipelines.models.vqvae.model import VqvaeModel

_ORIGINAL_ENDINGS = (".pth", ".pt", ".ckpt")
_FETCHED = (".safetensors", ".json", ".pth", ".pt", ".ckpt")
"""What is fetched of a folder in an object store."""
_OTHER_USES = {
    "voc": "it takes tokens, not frames: see docs/voc.md",
    "voc_joint": "it takes tokens, not frames: see docs/voc.md",
    "vpp_policy": "it acts: see docs/serving.md",
}
"""Systems of this project that encode no frames."""


@dataclass(frozen=True)
class _Found:
    """A trained model on a local disk.

    Attributes:
        place: The folder, or the file in an original layout.
        config: What rebuilds the model.
        meta: Where it came from.
        device: Where it is to be.
        codec: Folder of the codec of a video model; None: in its usual places.
    """

    place: Path
    config: dict[str, Any]
    meta: dict[str, Any]
    device: str
    codec: Path | None

    @property
    def is_original(self) -> bool:
        """Whether it is a file in an original layout."""
        return self.place.is_file()

    @property
    def is_diffusers(self) -> bool:
        """Whether it is a folder in diffusers' layout."""
        return self.meta.get("layout") == "diffusers"


def load_any_model(
    path: str | os.PathLike[str], *, device: str = "cpu", codec: str | os.PathLike[str] | None = None
) -> LoadedModel:
    """See :func:`vidrep_pipelines.load`."""
    with ExitStack() as stack:
        place = stack.enter_context(_local(os.fspath(path)))
        codec_place = None if codec is None else stack.enter_context(_local(os.fspath(codec)))
        config, meta = _description(place, os.fspath(path))
        system = system_of(config, meta)
        loader = _LOADERS.get(system)
        if loader is None:
            reason = _OTHER_USES.get(system, f"nothing is known of a system {system!r}")
            raise ConfigurationError(f"{path}: no frames can be encoded with this model; {reason}.")
        found = _Found(place, config, meta, device, codec_place)
        if not (found.is_original or found.is_diffusers):
            Checkpoint.checked(place)
        try:
            return loader(found)
        except (ValidationError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: its configuration is not that of {system} ({error}). Remedy: publish or export it "
                "again."
            ) from error


@contextmanager
def _local(address: str) -> Iterator[Path]:
    """The path on a local disk; what lies elsewhere is fetched, and removed when the model is loaded."""
    if "://" not in address:
        yield Path(str(at_home(address)))
        return
    with tempfile.TemporaryDirectory(prefix="vidrep-") as folder:
        yield fetch_files(address, Path(folder), _FETCHED)


def _description(place: Path, address: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What rebuilds the model, and where it came from.

    Raises:
        InputError: There is nothing, or nothing that says what it is.
    """
    if place.suffix in _ORIGINAL_ENDINGS:
        check_weight_file(place)
        beside = place.with_suffix(".json")
        if not beside.is_file():
            raise InputError(
                f"{address}: {beside.name} is missing beside it, which says what the weights are of. Remedy: "
                "copy both files that the export wrote; a file of the original authors is named in the "
                "parameters of its system (initialize_from, published), which publishes it as a checkpoint."
            )
        described = read_json_object(beside)
        return dict(described.get("config") or {}), dict(described.get("meta") or {})
    if not (place / CONFIG).is_file():
        raise InputError(
            f"{address} holds no trained model: {CONFIG} is missing. Remedy: name the folder of a "
            "checkpoint, such as data/06_models/rsp/checkpoint, or an export."
        )
    if not (place / META).is_file():
        raise InputError(f"{address} is not from this project: {META} is missing. Remedy: copy it as well.")
    return read_json_object(place / CONFIG), read_meta(place / META)[0]


def _rsp(found: _Found) -> LoadedRsp:
    config = RspModelConfig.model_validate(found.config.get(rsp_io.TIMM_ENTRY, found.config))
    state = (
        rsp_io.load_original(found.place) if found.is_original else Checkpoint.of(found.place).state_dict()
    )
    return LoadedRsp(image_encoder(config, state).to(found.device), config, found.meta)


def _vqvae(found: _Found) -> LoadedVqvae:
    if not found.is_original:
        return LoadedVqvae(TrainedVqvae.load(found.place, found.device), found.meta)
    model = VqvaeModel(VqvaeModelConfig.model_validate(found.config["model"]))
    vqvae_io.load_into(model, vqvae_io.load_original(found.place), str(found.place))
    data = VqvaeDataConfig.model_validate(found.config["data"])
    return LoadedVqvae(TrainedVqvae(model.eval().to(found.device), data), found.meta)


def _carl(found: _Found) -> LoadedCarl:
    if not found.is_original:
        return LoadedCarl(TrainedCarl.load(found.place, found.device), found.meta)
    model = CarlModel(CarlModelConfig.model_validate(found.config["model"]))
    carl_io.load_into(model, carl_io.load_original(found.place).weights, str(found.place))
    data = CarlDataConfig.model_validate(found.config["data"])
    return LoadedCarl(TrainedCarl(model.eval().to(found.device), data), found.meta)


def _tokenizer(found: _Found) -> LoadedTokenizer:
    layout, weights = ("published", found.place) if found.is_original else ("ours", found.place / WEIGHTS)
    source = TokenizerSource.model_validate({**found.config, "layout": layout, "weights": weights})
    return LoadedTokenizer(source.load(found.device), source.config(), found.meta, f"voc_{source.kind}")


def _video_model(found: _Found) -> LoadedVideoModel:
    codec = _codec_folder(found)
    if not found.is_diffusers:
        return LoadedVideoModel(VideoPredictor.load(found.place, codec, found.device), found.meta)
    model, frames = load_exported_video_model(found.place)
    loaded = load_codec(codec, found.device)
    if loaded.digest != found.config.get("codec", loaded.digest):
        raise InputError(f"{codec} is not the codec that the model in {found.place} was trained with.")
    tokenizer = text_tokenizer(model.config.text)
    return LoadedVideoModel(VideoPredictor(model.to(found.device), loaded, tokenizer, frames), found.meta)


def _codec_folder(found: _Found) -> Path:
    """The codec that is named, that is in the export, or that of the same data folder.

    Raises:
        InputError: There is none.
    """
    if found.codec is not None:
        return found.codec
    around = found.place.absolute().parents
    places = [parent / name for parent in around[:2] for name in ("video_codec", "06_models/video_codec")]
    for folder in (found.place / "codec", *places):
        if (folder / CONFIG).is_file():
            return folder
    raise InputError(
        f"{found.place}: a video model works on latents, and the codec that makes them is not beside it. "
        "Remedy: name its folder, load(..., codec='data/06_models/video_codec')."
    )


_LOADERS: Mapping[str, Callable[[_Found], LoadedModel]] = {
    "rsp": _rsp,
    "vqvae": _vqvae,
    "carl": _carl,
    "voc_vae": _tokenizer,
    "voc_dino": _tokenizer,
    "voc_musik": _tokenizer,
    "vpp_video": _video_model,
}
