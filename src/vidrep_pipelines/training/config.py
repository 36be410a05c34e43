"""Parameters of training: science (`TrainConfig`), machine (`LaunchConfig`), and one run (`TrainSpec`)."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from vidrep_pipelines.common.config import FrozenConfig

_NOT_SCIENCE = {
    *("checkpoint_every_steps", "keep_checkpoints", "keep_every", "keep_former_runs"),
    *("log_every_steps", "resume"),
}


class TriStageConfig(FrozenConfig):
    """A rate that rises, stays and falls, each for a share of the run (Video Prediction Policy's)."""

    shares: tuple[float, float, float] = (0.02, 0.08, 0.9)
    """Shares of the updates for the linear warm-up, the peak, and half a cosine. What rounding leaves over
    has the last rate."""

    start_factor: float = Field(0.1, ge=0)
    """Rate of the first update, as a factor of the peak."""

    end_factor: float = Field(1e-6, ge=0)
    """Rate at the end of the cosine, as a factor of the peak."""

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        """The stages are no longer than the run."""
        if min(self.shares) < 0 or not 0 < sum(self.shares) < 1 + 1e-9:
            raise ValueError(f"shares={self.shares} are not parts of a run: none below 0, at most 1 together")
        return self


class OptimizerConfig(FrozenConfig):
    """Optimizer and rate; AdamW with a warm-up and half a cosine (Loshchilov & Hutter 2017, 2019)."""

    name: Literal["adamw", "adamw_8bit", "adam", "sgd"] = "adamw"
    """``adamw`` decouples weight decay from the gradient; ``adam`` and ``sgd`` add it to the gradient.
    ``adamw_8bit`` keeps the moments of large tensors in 8 bits (arXiv 2110.02861), a quarter of the memory;
    it needs bitsandbytes, and a model that is not sharded."""

    base_learning_rate: float = Field(1.5e-4, gt=0)
    """Peak learning rate for 256 items per update; the peak used is this times ``batch_size / 256``."""

    learning_rate: float | None = Field(None, gt=0)
    """Peak learning rate as it is, whatever the batch size. None: derived from ``base_learning_rate``."""

    minimum_learning_rate: float = Field(0.0, ge=0)
    """Where the cosine ends."""

    schedule: Literal["cosine", "constant", "tri_stage"] = "cosine"
    """What follows the warm-up. ``tri_stage`` has its own warm-up and end, see there."""

    tri_stage: TriStageConfig = TriStageConfig()
    """Stages of the schedule ``tri_stage``, which takes none of the other warm-ups and ends."""

    schedule_steps: int | None = Field(None, ge=1)
    """Updates that the cosine is laid out over, where that is more than the run has: a run that ends halfway
    down, as the published VOC does. None: those of the run."""

    rate_changes: Literal["every_update", "every_epoch"] = "every_update"
    """``every_epoch``: the rate stays the same during a pass over the data; the cosine is then sampled at
    the beginning of each pass and would only reach its end one pass after the last."""

    warmup_learning_rate: float = Field(0.0, ge=0)
    """Where the warm-up begins."""

    betas: tuple[float, float] = (0.9, 0.95)
    """Decay rates of the gradient's first and second moment; of SGD only the first is used, as momentum."""

    eps: float = Field(1e-8, gt=0)
    """Added to Adam's denominator."""

    weight_decay: float = Field(0.05, ge=0)
    """Weight decay of what the task says is decayed, usually matrices and not vectors."""

    warmup_epochs: int = Field(40, ge=0)
    """Published epochs of linear warm-up; integer-divided by the samples that the task draws per item."""

    warmup_steps: int | None = Field(None, ge=0)
    """Warm-up in updates, in place of ``warmup_epochs``."""

    fused: bool = True
    """One kernel for all parameters, where the installed torch has it for the device."""

    @model_validator(mode="after")
    def _check_schedule(self) -> Self:
        """The stages are counted in updates."""
        if self.schedule == "tri_stage" and self.rate_changes == "every_epoch":
            raise ValueError("rate_changes: the schedule tri_stage changes the rate at every update")
        if self.schedule_steps is not None and (self.schedule, self.rate_changes) != (
            "cosine",
            "every_update",
        ):
            raise ValueError("schedule_steps needs schedule: cosine and rate_changes: every_update")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_off(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Stages that are not used are left out: digests of runs with other schedules stay as they were."""
        described: dict[str, Any] = serialized(self)
        if self.schedule != "tri_stage":
            described.pop("tri_stage", None)
        if self.schedule_steps is None:
            described.pop("schedule_steps", None)
        return described


class TrainConfig(FrozenConfig):
    """The science of a training run. Nothing here depends on the machine."""

    epochs: int | None = Field(None, ge=1)
    """Published epochs; integer-divided by the samples drawn per item (400 // 2 = 200 passes)."""

    steps: int | None = Field(None, ge=1)
    """Updates, in place of ``epochs``."""

    batch_size: int = Field(64, ge=1)
    """Items per update, over all processes and accumulated micro-batches."""

    summed_batches: int = Field(1, ge=1)
    """Take the gradient of so many equal parts of an update as their sum, in place of the mean of all items:
    2 in the published VOC, which adds up two batches. Adam hardly notices; clipping and SGD do."""

    optimizer: OptimizerConfig = OptimizerConfig()
    """Optimizer and learning-rate schedule."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic of the forward pass: float32, or autocast to bfloat16 or float16 (with loss scaling). On a
    device without instructions for bfloat16, ``bf16`` computes in float32; the result says so."""

    clip_gradient_norm: float | None = Field(None, gt=0)
    """Longest gradient, in its Euclidean norm over all parameters. None: not clipped."""

    synchronized_batch_norm: bool = False
    """Compute the statistics of batch norms over the samples of all processes. False: each process uses its
    own, and the result depends on their number."""

    ema_decay: float | None = Field(None, gt=0, lt=1)
    """Keep an exponential moving average of the weights with this decay, saved beside them. None: none."""

    seed: int = Field(0, ge=0)
    """Seed of the initial weights, of the order of the data and of every random draw."""

    checkpoint_every_steps: int | None = Field(None, ge=1)
    """Updates between checkpoints. None: once per pass over the data. The last update always gets one."""

    keep_checkpoints: int = Field(2, ge=1)
    """How many checkpoints stay on disk. With one, there is nothing to fall back to if it gets damaged."""

    keep_every: int | None = Field(None, ge=1)
    """Which older checkpoints stay, too: with 50, and a checkpoint per pass, those after 50, 100, 150, ...
    passes. None: none."""

    keep_former_runs: int = Field(3, ge=0)
    """How many runs with other parameters stay on disk. Going back to the parameters of one that is kept
    brings it back without training; the log says how large one was that is removed. With 0, changed
    parameters cost the finished run."""

    log_every_steps: int = Field(1, ge=1)
    """Updates between rows of the training log."""

    resume: Literal["auto", "never"] = "auto"
    """``auto`` continues an unfinished run and leaves a finished one alone; ``never`` starts from scratch."""

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError(
                f"set exactly one of train.epochs and train.steps (epochs={self.epochs}, "
                f"steps={self.steps}); set the other to null"
            )
        return self

    def identity(self) -> dict[str, Any]:
        """The fields that determine the trained weights; digests of runs that only have means stay."""
        fields = self.model_dump(mode="json", exclude=_NOT_SCIENCE)
        if self.summed_batches == 1:
            del fields["summed_batches"]
        return fields


class LaunchConfig(FrozenConfig):
    """The machine that a run uses. Never part of a digest: the result is meant to be the same."""

    processes: int = Field(1, ge=1)
    """Training processes on this machine, one per device. Several machines: start the worker by torchrun."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """``auto`` takes CUDA where there is one."""

    device_batch_size: int | None = Field(None, ge=1)
    """Most items in one forward pass of one process; the rest of ``batch_size`` is accumulated. None: all."""

    loader_workers: int = Field(2, ge=0)
    """Processes that read data, per training process. 0: the training process reads."""

    prefetch_factor: int = Field(2, ge=1)
    """Batches that each of them prepares in advance."""

    strategy: Literal["ddp", "fsdp"] = "ddp"
    """How several processes hold the model: replicated (DDP), or in shards, optimizer included (FSDP2)."""

    retries: int = Field(2, ge=0)
    """Restarts from the last checkpoint when a process dies; every new checkpoint resets the count."""

    threads_per_process: int | None = Field(None, ge=1)
    """Arithmetic threads of one process. None: the machine's cores divided by its training processes."""

    compile: bool = False
    """Compile the blocks of the model by ``torch.compile``, which takes a minute or more at the start."""


class TrackingTarget(FrozenConfig):
    """The MLflow run that receives the curves."""

    model_config = ConfigDict(hide_input_in_errors=True)  # an address may hold a password

    uri: str = Field(repr=False)
    """Tracking server or database, for example ``sqlite:///data/mlflow.db``."""

    run_id: str
    """An existing run of it."""


class ProbeSpec(FrozenConfig):
    """A measurement of the representation while it is trained. It changes no weight."""

    probe: str
    """Where the probe's class is: ``"module:Class"``."""

    config: dict[str, Any]
    """The probe's fields, as JSON."""

    every: int | None = Field(None, ge=1)
    """Passes over the data between two measurements; the end of training is always measured."""

    every_steps: int | None = Field(None, ge=1)
    """Updates between two measurements, in place of ``every``."""

    untrained: bool = False
    """Also measure before the first update, as update 0: the floor that training has to rise above."""

    keep: dict[str, Literal["lowest", "highest"]] = Field(default_factory=dict)
    """Scores by which the best weights are kept, each beside the last ones, and which end is better:
    ``{loss: lowest}``."""

    publish: str | None = None
    """The score in ``keep`` whose best weights become the trained model. None: the last weights do."""

    @model_validator(mode="after")
    def _check_interval(self) -> Self:
        if (self.every is None) == (self.every_steps is None):
            raise ValueError(
                f"set exactly one of probe.every and probe.every_steps (every={self.every}, "
                f"every_steps={self.every_steps})"
            )
        if self.publish is not None and self.publish not in self.keep:
            raise ValueError(f"publish is {self.publish!r}, by which nothing is kept: see keep={self.keep}")
        return self


class TrainSpec(FrozenConfig):
    """Everything that a training process must know; small, and equal after a round trip through JSON."""

    task: str
    """Where the task's class is: ``"module:Class"``."""

    task_config: dict[str, Any]
    """The task's fields, as JSON."""

    train: TrainConfig
    """The science."""

    launch: LaunchConfig = LaunchConfig()
    """The machine."""

    run_directory: Path
    """Receives checkpoints, log and result."""

    report_directory: Path
    """Receives the pictures that the task makes at checkpoints."""

    tracking: TrackingTarget | None = None
    """MLflow run for curves and pictures. None: only the log file."""

    data_digest: str = ""
    """Digest of the training data's content; other data means another run."""

    probe: ProbeSpec | None = None
    """Measured now and then while training. Never part of the run's digest. None: nothing is measured."""

    @classmethod
    def of(
        cls,
        task: BaseModel,
        *,
        train: TrainConfig,
        run_directory: Path,
        report_directory: Path,
        launch: LaunchConfig | None = None,
        tracking: TrackingTarget | None = None,
        data_digest: str = "",
        probe: ProbeSpec | None = None,
    ) -> "TrainSpec":
        """Describes the training of ``task``, whose class must be importable by name."""
        return cls(
            task=f"{type(task).__module__}:{type(task).__qualname__}",
            task_config=task.model_dump(mode="json"),
            train=train,
            launch=launch or LaunchConfig(),
            run_directory=run_directory.absolute(),
            report_directory=report_directory.absolute(),
            tracking=tracking,
            data_digest=data_digest,
            probe=probe,
        )
