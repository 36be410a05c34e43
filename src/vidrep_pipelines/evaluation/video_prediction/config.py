"""Parameters of the evaluation of predicted videos."""

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.frame_store.config import SelectionConfig
from vidrep_pipelines.evaluation.reconstruction.config import ReconstructionEvaluationConfig


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
