"""Parameters of predicted videos and of their evaluation."""

from pydantic import Field, field_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.frame_store.config import SelectionConfig
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.frames import FrameRuleConfig


class VideoEvaluationConfig(FrozenConfig):
    """Which clips are predicted, and how predictions are measured."""

    split: str = "test"
    """Part of the store. Settings are to be chosen on ``validation``; ``test`` is read once."""

    selection: SelectionConfig = SelectionConfig()
    """Which data sets and cameras."""

    every_camera: bool = False
    """Predict what each camera of an episode saw, not only the first of those that are selected."""

    limit: int | None = Field(128, ge=1)
    """At most so many clips of each data set, spread evenly over its views, each of which gives
    the clip in the middle of those that it is cut into. None: one of every view."""

    seeds: tuple[int, ...] = Field((0,), min_length=1)
    """Seeds of the sampling: every clip is predicted once with each, and their measures are averaged."""

    batch_size: int = Field(8, ge=1)
    """Clips that are predicted together."""

    noise_levels: int = Field(8, ge=1)
    """In so many equally probable parts the training's noise levels are cut; the loss is measured at the
    middle of each, so that the mean over them is the validation loss."""

    static_below: float = Field(0.1, ge=0)
    """A warning says that predictions stand still where the ratio of their motion energy to the truth's is
    below this."""

    metrics: ReconstructionEvaluationConfig = ReconstructionEvaluationConfig()
    """Pixel range, intervals, and the files of LPIPS and of the Frechet video distance."""


class CounterfactualConfig(FrozenConfig):
    """The counterfactual test: one first frame under every instruction, on tables of the sample world."""

    split: str = "test"
    """Part of the store whose tables are used."""

    tables: int = Field(40, ge=0)
    """At most so many tables, spread evenly over the split's. 0: the test is left out."""

    calibration_split: str = "validation"
    """Part of the store on whose truths it is calibrated how much of an object must change to have moved."""

    calibration_tables: int = Field(6, ge=1)
    """So many tables of it."""

    shown: int = Field(1, ge=1)
    """So many tables are drawn, with all of their instructions."""


class PredictVideoConfig(FrozenConfig):
    """Which episodes are predicted, from where on, and what the robot is told."""

    split: str | None = "validation"
    """Part of the store that ``numbers`` and ``limit`` are about. None: all of it."""

    trajectories: tuple[str, ...] = ()
    """Names of episodes, of any split."""

    numbers: dict[str, str] = Field(default_factory=dict)
    """For each data set its episodes by number, such as ``{bridge: 0+3+17}``: their places, from 0, in the
    order of their names in ``split``."""

    limit: int = Field(4, ge=1)
    """Where neither ``trajectories`` nor ``numbers`` are given: so many episodes of each data set, spread
    evenly."""

    instructions: str | dict[str, str] | None = None
    """A new instruction for all episodes, or for each of some, by trajectory. None: those of the data."""

    camera: int | None = Field(None, ge=0)
    """Number of the camera. None: the first of each episode."""

    frames: FrameRuleConfig = FrameRuleConfig()
    """From where on, and at which pace."""

    film_frames_per_second: int = Field(4, ge=1)
    """Rate of the films; the model is told another one, see ``sampling.frames_per_second``."""

    seed: int = 0
    """Seed of the sampling; every episode draws its own noise from it."""

    @field_validator("instructions")
    @classmethod
    def _says_something(cls, value: str | dict[str, str] | None) -> str | dict[str, str] | None:
        texts = {"": value} if isinstance(value, str) else value or {}
        for name, text in texts.items():
            if not text.strip():
                raise ValueError(f"an instruction is empty{f' ({name})' if name else ''}: say what to do")
        return value
