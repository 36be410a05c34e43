"""The video model for the training loop: which samples, which model, which loss, which pictures."""

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.utils.data import default_collate

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.shared.catalog_checkpoint import WEIGHTS, Checkpoint
from vidrep_pipelines.models.vpp.video.adaptation import adapt, is_base
from vidrep_pipelines.models.vpp.video.checkpoint_io import UNET, diffusers_part, load_unet
from vidrep_pipelines.models.vpp.video.codec import CODEC, VAE, Codec, load_codec, to_pictures
from vidrep_pipelines.models.vpp.video.config import (
    AdaptationConfig,
    ClipConfig,
    VideoModelConfig,
    VideoObjectiveConfig,
    VideoSamplingConfig,
)
from vidrep_pipelines.models.vpp.video.cost import VideoStepCost, video_step_cost
from vidrep_pipelines.models.vpp.video.dataset import MixedClips, clip_latents, other_pictures
from vidrep_pipelines.models.vpp.video.image_condition import image_files
from vidrep_pipelines.models.vpp.video.mixture import MixtureConfig
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion
from vidrep_pipelines.models.vpp.video.objective import (
    FirstFrame,
    VideoRandomness,
    draw_video_randomness,
    video_objective,
    with_noise_on_picture,
)
from vidrep_pipelines.models.vpp.video.other_views import OtherViews
from vidrep_pipelines.models.vpp.video.pictures import first_batch_sheet, prediction_strips
from vidrep_pipelines.models.vpp.video.sampling import draw_video_noise, sample_video
from vidrep_pipelines.models.vpp.video.text import text_files, text_tokenizer
from vidrep_pipelines.training.config import TrainConfig
from vidrep_pipelines.training.order import ItemKey
from vidrep_pipelines.training.system_task import SystemTask
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo
from vidrep_pipelines.training.update import move_to

_log = logging.getLogger(__name__)

_MOMENT_BYTES = {"adamw": 8, "adam": 8, "adamw_8bit": 2, "sgd": 4}
"""What an optimizer keeps for each trained number."""

_FRAMES_AT_ONCE = 32
_PREDICTED_AT_ONCE = 4
_SHOWN_CLIPS = 4
_SHOWN_ITEMS = 12


HELD_OUT = "validation"
"""The split on which a model is looked at and measured while it is trained."""


class Predictions(NamedTuple):
    """Clips (N, F, 3, H, W) in 0..1 on the CPU, and the N instructions."""

    truth: Tensor
    """What happened."""
    predicted: Tensor
    """What was predicted from the first frame."""
    texts: list[str]
    """What the robot was told."""


class VideoTask(SystemTask[VideoDiffusion]):
    """A :class:`~vidrep_pipelines.training.task.Task` that shows its first batch before it trains on it."""

    name: ClassVar[str] = "vpp_video"
    name_in_digests: ClassVar[str] = "vidrep_pipelines.models.vpp.video.task:VideoTask"
    not_science: ClassVar[set[str] | dict[str, Any]] = {
        **dict.fromkeys(("frames", "latents", "latents_digest", "codec", "sampling"), True),
        "initialize_from": True,
        "model": {"text": {"folder": True, "image": {"folder"}}},
    }

    frames: Path
    """Folder of the frame store."""

    latents: Path | None = None
    """Folder of the latents beside its frames. None: frames are encoded while training, with noise on the
    first one."""

    latents_digest: str | None = None
    """Digest of the model that must have made the latents. None: any."""

    codec: Path
    """Checkpoint of what makes latents of frames and frames of latents."""

    split: str = "train"
    """Part of the store that is trained on."""

    clips: ClipConfig = ClipConfig()
    """What a sample is."""

    mixture: MixtureConfig = MixtureConfig()
    """Data sets, shares, rules and cameras."""

    model: VideoModelConfig
    """The architecture."""

    objective: VideoObjectiveConfig = VideoObjectiveConfig()
    """The loss."""

    adaptation: AdaptationConfig = AdaptationConfig()
    """What of the UNet is trained."""

    initialize_from: Path | None = None
    """Folder in diffusers' layout whose UNet is the start. None: random weights."""

    sampling: VideoSamplingConfig = VideoSamplingConfig()
    """How the predictions in pictures are made."""

    def files_that_count(self) -> dict[str, Path | None]:
        """What makes the latents, and what a frozen text and image model is read from."""
        text = self.model.text
        return {"codec": self.codec / WEIGHTS, **text_files(text), **image_files(text)}

    def digests_of_files(self) -> dict[str, str | None]:
        """Also that of the UNet to start from, which may lie in several files."""
        start = self.initialize_from
        digest = None if start is None else diffusers_part(start, UNET).digest
        return {**super().digests_of_files(), "initialize_from": digest}

    def checkpoint_config(self) -> dict[str, Any]:
        """Model and clips, the codec's digest, what the weights started from and were trained on."""
        described = self.model_dump(
            mode="json", include={"model", "clips", "mixture", "objective", "adaptation", "initialize_from"}
        )
        digests = {name: digest for name, digest in self.digests_of_files().items() if name != "codec"}
        return {**described, "codec": Checkpoint.of(self.codec).digest, "digests_of_files": digests}

    def build_model(self) -> VideoDiffusion:
        """The model with its start weights, of which some are frozen or adapted.

        Raises:
            InputError: ``initialize_from`` or the text model's folder lacks a part or holds another network.
            ConfigurationError: What is to be trained is not in the UNet.
        """
        model = VideoDiffusion(self.model)
        if self.initialize_from is not None:
            load_unet(model, self.initialize_from)
        adapt(model, self.adaptation)
        return model

    def left_out(self, model: VideoDiffusion) -> frozenset[str]:
        """The UNet's own weights, if only adapters on those of ``initialize_from`` are trained."""
        if self.adaptation.lora is None or self.initialize_from is None:
            return frozenset()
        return frozenset(name for name in model.state_dict() if is_base(name))

    def store(self) -> FrameStore:
        """The views that are trained on."""
        return FrameStore(self.frames).select(self.split)

    def build_dataset(self) -> MixedClips:
        """Clips of the mixture with their instructions.

        Raises:
            ConfigurationError: A data set is missing, has no clip or lacks the other camera that the model
                looks at, or latents do not fit the model.
            InputError: An episode has no instruction, or another codec made the latents.
        """
        require_codec(self.codec, self.model)
        store, latents = self.store(), None
        if self.latents is not None:
            channels = self.model.unet.latent_channels
            latents = clip_latents(self.latents, store, channels, self.latents_digest)
        text = self.model.text
        others = OtherViews(store, self.mixture.shares) if text.image is not None else None
        return MixedClips(
            store, latents, self.clips.frames, self.mixture, text_tokenizer(text), self.seed, others
        )

    def item_names(self, indices: Sequence[int]) -> list[str]:
        """Episodes and first frames, for error messages."""
        dataset = self.build_dataset()
        return [dataset.name(index) for index in indices]

    def shard_units(self, model: VideoDiffusion) -> list[nn.Module]:
        """The UNet's residual blocks and transformers."""
        return model.blocks()

    def loss(self, model: VideoDiffusion, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        """The loss of a batch of :class:`MixedClips`."""
        latents, randomness, first = self.training_inputs(batch)
        told = batch["ids"], batch["mask"]
        outputs = video_objective(
            model, latents, *told, randomness, self.objective, first, other_pictures(batch)
        )
        return outputs.loss, dict(outputs.metrics())

    @torch.no_grad()
    def training_inputs(self, batch: Batch) -> tuple[Tensor, VideoRandomness, FirstFrame | None]:
        """Latents (B, F, C, h, w), randomness, and the condition where it is not the first latent."""
        seeds = batch["seed"]
        if "latents" in batch:
            latents = batch["latents"]
            return latents, draw_video_randomness(seeds, tuple(latents.shape[1:]), latents.device), None
        pictures, latents = self._encoded(batch)
        shapes = tuple(latents.shape[1:]), latents.device, tuple(pictures.shape[2:])
        randomness = draw_video_randomness(seeds, *shapes)
        noisy, strength = with_noise_on_picture(pictures[:, 0], randomness, self.objective)
        return latents, randomness, FirstFrame(self.codec_on(latents.device).encode(noisy), strength)

    def latents_of(self, batch: Batch) -> Tensor:
        """Stored or just encoded latents (B, F, C, h, w) of a batch, on its device."""
        return batch["latents"] if "latents" in batch else self._encoded(batch)[1]

    @torch.no_grad()
    def _encoded(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Pictures (B, F, 3, H, W) in -1..1 and their latents."""
        pictures = to_pictures(batch["frames"].movedim(-3, -1))
        codec = self.codec_on(pictures.device)
        parts = torch.split(pictures.flatten(0, 1), _FRAMES_AT_ONCE)
        latents = torch.cat([codec.encode(part) for part in parts])
        return pictures, latents.reshape(*pictures.shape[:2], *latents.shape[1:])

    @cached_property
    def _codecs(self) -> dict[str, Codec]:
        return {}

    def codec_on(self, device: torch.device) -> Codec:
        """The codec on a device; it is no part of the model."""
        if str(device) not in self._codecs:
            self._codecs[str(device)] = load_codec(self.codec, device)
        return self._codecs[str(device)]

    def on_split(self, split: str) -> "VideoTask | None":
        """The same with the clips of another split; None if it has none of the data sets.

        Where it has some of them, their shares stay in proportion.
        """
        table = FrameStore(self.frames).table
        present = set(table.loc[table["split"] == split, "robot"]) & self.mixture.shares.keys()
        if not present:
            return None
        return self.model_copy(update={"split": split, "mixture": self.mixture.among(present)})

    @torch.no_grad()
    def predict(self, model: VideoDiffusion, items: Sequence[ItemKey]) -> Predictions:
        """What becomes of the first frames of items, always with the same noise.

        Args:
            model: In evaluation mode.
            items: Which, as (epoch, index).

        Raises:
            InputError: The prediction is not finite.
        """
        dataset, predicted = self.build_dataset(), []
        for start in range(0, len(items), _PREDICTED_AT_ONCE):
            samples = [dataset[item] for item in items[start : start + _PREDICTED_AT_ONCE]]
            batch = move_to(default_collate(samples), next(model.parameters()).device)
            predicted.append(self._predicted(model, batch).cpu())
        shown = [dataset.frames(*item) for item in items]
        truth = torch.stack([frames for frames, _ in shown]) / 255
        return Predictions(truth, torch.cat(predicted), [text for _, text in shown])

    def _predicted(self, model: VideoDiffusion, batch: Batch) -> Tensor:
        """Videos (B, F, 3, H, W) in 0..1 on the batch's device."""
        latents = self.latents_of(batch)
        noise = draw_video_noise(batch["seed"].tolist(), latents.shape[1:], latents.device)
        text = model.encode_text(batch["ids"], batch["mask"], other_pictures(batch))
        sampled = sample_video(model, latents[:, 0], text, noise, self.sampling)
        decoded = self.codec_on(latents.device).decode(sampled.flatten(0, 1), frames=latents.shape[1])
        return (decoded.reshape(*latents.shape[:2], *decoded.shape[1:]) / 2 + 0.5).clamp(0, 1)

    def before_training(
        self, model: VideoDiffusion, items: Sequence[ItemKey], train: TrainConfig, directory: Path
    ) -> list[Path]:
        """Draws the first batch as ``first_batch.png``, and says what memory an update takes."""
        dataset = self.build_dataset()
        _log.info("vpp_video: %s", self.step_cost(len(items), train).text())
        shown = [dataset.frames(*item) for item in items[:_SHOWN_ITEMS]]
        heading = f"{len(shown)} of the {len(items)} clips that come first"
        sheet = first_batch_sheet([frames for frames, _ in shown], [text for _, text in shown], heading)
        sheet.save(directory / "first_batch.png")
        return [directory / "first_batch.png"]

    def step_cost(self, clips: int, train: TrainConfig) -> VideoStepCost:
        """Work and memory of an update with so many clips on a device that holds the whole model."""
        facts, codec = self.store().facts, self.codec_on(torch.device("cpu"))
        side = (facts.height // codec.factor, facts.width // codec.factor)
        return video_step_cost(
            self.model,
            self.adaptation,
            (clips, self.clips.frames, self.model.unet.latent_channels, *side),
            moment_bytes=_MOMENT_BYTES[train.optimizer.name],
            averaged=train.ema_decay is not None,
            activation_bytes=4 if train.precision == "fp32" else 2,
        )

    def pictures(self, model: VideoDiffusion) -> dict[str, Image]:
        """Predictions of a few held-out clips, or of training clips if none are held out."""
        return {"predictions": self.predictions_picture(model)}

    def predictions_picture(self, model: VideoDiffusion) -> Image:
        """What happened in clips above what is predicted of them."""
        shown = self.on_split(HELD_OUT) or self
        predicted = shown.predict(model, shown.fixed_items(_SHOWN_CLIPS))
        return prediction_strips(predicted.truth, predicted.predicted, predicted.texts)

    def fixed_items(self, count: int) -> list[ItemKey]:
        """So many items of the data set, always the same, drawn as those of the first passes are."""
        length = len(self.build_dataset())
        return [divmod(number, length) for number in range(count)]


def require_codec(folder: Path, model: VideoModelConfig) -> None:
    """Checks that a model is made for the latents of a codec, without reading the codec's weights.

    Raises:
        InputError: The folder holds no codec.
        ConfigurationError: Channels or scale differ.
    """
    config = Checkpoint.of(folder).config
    try:
        linear = config[CODEC]["kind"] == "linear"
        channels = config[CODEC]["channels"] if linear else config[VAE]["latent_channels"]
        scale = 1.0 if linear else config[VAE]["scaling_factor"]
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder} holds no codec of frames. Remedy: run latent_extraction_svd.") from error
    if (model.unet.latent_channels, model.condition_scale) != (channels, scale):
        raise ConfigurationError(
            f"The codec in {folder} makes latents of {channels} channels with the scale {scale:g}. Remedy: "
            f"set vpp_video.model.unet.latent_channels to {channels} and model.condition_scale to {scale:g}; "
            f"they are {model.unet.latent_channels} and {model.condition_scale:g}."
        )
