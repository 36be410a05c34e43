"""Predictions of chosen episodes for people to look at, one item per episode."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vidrep_pipelines.adapters.counterfactual_videos import pixels
from vidrep_pipelines.adapters.video_prediction import TrainedVideo, require_words_alone
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.video.film import write_film
from vidrep_pipelines.evaluation.video_prediction.config import PredictVideoConfig
from vidrep_pipelines.evaluation.video_prediction.measurement import energy_of_motion
from vidrep_pipelines.evaluation.video_prediction.selection import chosen_episodes
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.devices import device_of_item, workers_for_device
from vidrep_pipelines.fanout.job import Item, Job, Scalar
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.shared.trained import loaded_once
from vidrep_pipelines.models.shared.units import clamped_psnr
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.inference import VideoPredictor
from vidrep_pipelines.models.vpp.video.text import text_tokenizer
from vidrep_pipelines.reporting.video_prediction import ShownPrediction, prediction_film, prediction_sheet

FILM, STILL = ".mp4", ".png"
_PREDICTION = 1
"""Version of what equal requests lead to: raised when the files change."""
_SHOWN = 8


@dataclass(frozen=True)
class PredictionRequest:
    """One episode that is predicted.

    Attributes:
        store: Folder of the frames.
        view: The episode's view.
        data_set: Which data set it is of.
        text: What the model is told.
        own_text: What the robot was told.
        frames: Frames that the prediction is compared with; the first is given.
        folders: Of the model and of the codec.
        version: Digest of both and of the sampling.
        sampling: How the video is sampled.
        seed: Of its noise.
        frames_per_second: Of the film.
        device: Where it is computed.
    """

    store: Path
    view: str
    data_set: str
    text: str
    own_text: str | None
    frames: tuple[int, ...]
    folders: tuple[Path, Path]
    version: str
    sampling: VideoSamplingConfig
    seed: int
    frames_per_second: int
    device: str

    def digest(self, content: str) -> str:
        """Changes with all that the files depend on, ``content`` being that of the store."""
        told = self.view, self.text, self.own_text, self.frames, self.seed, self.frames_per_second
        return digest_of(_PREDICTION, content, self.version, *told)


def prediction_job(
    trained: TrainedVideo, store: FrameStore, config: PredictVideoConfig, device: str, fanout: FanOutConfig
) -> Job:
    """One item per chosen episode: a film and a still, what happened above what is predicted.

    Args:
        trained: The model.
        store: All episodes.
        config: Which of them, and what the model is told.
        device: Type of the devices.
        fanout: How items are executed; a worker per GPU where there are any.

    Raises:
        InputError: There is no such episode, it is too short, or the model does not know a word.
        ConfigurationError: There is no such split, data set, number or camera, or the model looks at another
            camera, too.
    """
    require_words_alone(trained.task)
    chosen = chosen_episodes(store, config, trained.task.clips.frames)
    text_tokenizer(trained.task.model.text)([episode.text for episode in chosen])  # unknown words, at once
    folders = trained.checkpoint.directory.absolute(), trained.codec.directory.absolute()
    items = []
    for number, episode in enumerate(chosen):
        request = PredictionRequest(
            store=store.folder.absolute(),
            view=episode.view,
            data_set=episode.data_set,
            text=episode.text,
            own_text=episode.own_text,
            frames=tuple(episode.frames.tolist()),
            folders=folders,
            version=trained.digest,
            sampling=trained.sampling,
            seed=seed_for(config.seed, episode.view),
            frames_per_second=config.film_frames_per_second,
            device=device_of_item(device, number),
        )
        name = f"{episode.data_set}/{episode.view.replace('/', '_')}"
        items.append(Item(name, request, request.digest(store.facts.content_digest)))
    again = workers_for_device(fanout, device).trying_again()
    return Job("predictions", predict_episode, _distinct(items), (FILM, STILL), again)


def _distinct(items: Sequence[Item]) -> list[Item]:
    """Each episode once, where it was asked for twice."""
    return list({item.id: item for item in items}.values())


def predict_episode(request: PredictionRequest, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Predicts an episode and draws the prediction below the truth.

    Returns:
        What was told, and how good the prediction is: PSNR in decibels at the last frame, that of the copied
        first frame, and the motion energy as a share of the truth's.

    Raises:
        InputError: A file is damaged, or the prediction is not finite.
    """
    predictor = loaded_once(_load_predictor, request.folders, request.version, request.device)
    truth = FrameStore(request.store).frames(request.view, request.frames)
    real = torch.from_numpy(truth).movedim(-1, -3).float() / 255
    predicted = predictor.predict(real[:1], [request.text], [request.seed], request.sampling)[0].cpu()
    if predicted.shape != real.shape:
        raise InputError(
            f"The model predicts {tuple(predicted.shape)}, {request.view} has {tuple(real.shape)}. Remedy: "
            "store the frames at the size that the model was trained with."
        )
    psnr, copied = (float(clamped_psnr(video, real[-1])) for video in (predicted[-1], real[0]))
    energy, true_energy = (float(energy_of_motion(video[None])) for video in (predicted, real))
    notes = [request.view, f"last frame {psnr:.1f} dB (copy {copied:.1f})"]
    notes += [f"in the data: {request.own_text}"] if request.own_text not in (request.text, None) else []
    shown = ShownPrediction(truth, pixels(predicted), request.text, notes)
    write_film(outputs[FILM], prediction_film(shown), request.frames_per_second)
    prediction_sheet([shown]).save(outputs[STILL], format="PNG")
    return {
        "data_set": request.data_set,
        "text": request.text,
        "own_text": request.own_text,
        "psnr_last": psnr,
        "psnr_last_first_frame": copied,
        "motion_ratio": energy / max(true_energy, 1e-12),
    }


def _load_predictor(folders: tuple[Path, Path], device: str) -> VideoPredictor:
    return VideoPredictor.load(*folders, torch.device(device))


def stacked_stills(parts: Parts) -> Image.Image:
    """The first predictions below one another.

    Raises:
        InputError: Nothing was predicted.
    """
    if not parts.ids:
        raise InputError(f"{parts.folder}: no episode was predicted.")
    stills = []
    for name in parts.ids[:_SHOWN]:
        with Image.open(parts.path(name, STILL)) as picture:
            stills.append(np.asarray(picture.convert("RGB")))
    width = max(still.shape[1] for still in stills)
    return Image.fromarray(np.concatenate([_widened(still, width) for still in stills]))


def _widened(picture: Pixels, width: int) -> Pixels:
    return np.pad(picture, ((0, 0), (0, width - picture.shape[1]), (0, 0)), constant_values=255)
