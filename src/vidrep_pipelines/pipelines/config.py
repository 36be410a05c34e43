"""Parameters that belong to the pipelines themselves: where training writes and where runs are tracked."""

from pathlib import Path

from pydantic import ConfigDict, Field

from vidrep_pipelines.common.config import FrozenConfig, UserPath


class FoldersConfig(FrozenConfig):
    """Where training writes (``params:folders``)."""

    models: UserPath
    """Parent of the run folders: training states, logs."""

    reporting: UserPath
    """Parent of the pictures that training makes at checkpoints."""

    def run_directory(self, name: str) -> Path:
        """Folder of the training run of a model; others of the model's own stand beside it."""
        return self.models.absolute() / name / "run"


class SystemParameters(FrozenConfig):
    """All parameters of a system, which one node reads together; they go by the names of the fields.

    Kedro builds no configuration inside another, so that no other node may read a part of them by itself.
    """

    model_config = ConfigDict(extra="ignore")  # what a pipeline does not read is refused by a hook


class TrackingConfig(FrozenConfig):
    """The MLflow server and experiment (``params:tracking``)."""

    model_config = ConfigDict(hide_input_in_errors=True)  # an address may hold a password

    enabled: bool = True
    """False: no MLflow run is opened; logs and pictures are written to ``data`` all the same."""

    uri: str = Field("sqlite:///data/mlflow.db", repr=False)
    """Tracking server or database."""

    experiment: str = Field("vidrep", min_length=1, max_length=500)
    """Experiment that runs are filed under; created when it does not exist."""

    artifacts: UserPath | None = None
    """Folder for pictures of a newly created experiment. None: the server's own default."""

    run_id: str | None = None
    """The run of this ``kedro run``. Filled in by the tracking hook, not by a user."""
