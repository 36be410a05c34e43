"""The one training loop, for every system."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.progress import Progress
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.training import distributed
from vidrep_pipelines.training.best import BestWeights
from vidrep_pipelines.training.checkpoint import (
    CheckpointState,
    checkpoint_path,
    load_latest,
    save_checkpoint,
)
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.inspection import evaluation_mode, own_random_state, whole_model
from vidrep_pipelines.training.interruption import Interruption, interrupted
from vidrep_pipelines.training.loading import loaded_batches
from vidrep_pipelines.training.meters import SpeedMeter, peak_memory_gibibytes
from vidrep_pipelines.training.order import DataOrder, RankBatches, plan_batches
from vidrep_pipelines.training.parts import build_parts
from vidrep_pipelines.training.place import ALONE, Place
from vidrep_pipelines.training.precision import usable_precision
from vidrep_pipelines.training.probe import Probing
from vidrep_pipelines.training.result import TrainResult
from vidrep_pipelines.training.run_directory import RunDirectory
from vidrep_pipelines.training.run_record import RunRecord
from vidrep_pipelines.training.schedule import plan_schedule
from vidrep_pipelines.training.sinks import JsonLinesSink, MetricSink, MlflowSink, read_rows
from vidrep_pipelines.training.task import LooksAhead, Task, load_task
from vidrep_pipelines.training.update import UpdateOutcome, Updater

_LEAST_STEPS_BETWEEN_CHECKPOINTS = 100
_log = logging.getLogger(__name__)


def run_training(spec: TrainSpec, place: Place = ALONE, launcher_pid: int | None = None) -> TrainResult:
    """Trains in this process, which may be one of several that a launcher started.

    Args:
        spec: What to train.
        place: Which of the processes this one is.
        launcher_pid: Stop when this is no longer the parent process.

    Returns:
        The result; at once when exactly this run is finished already.

    Raises:
        VidrepError: A parameter, a file or the data is at fault; see the subclasses.
    """
    task = load_task(spec)
    device = distributed.choose_device(spec.launch, place.local_rank)
    directory, record = RunDirectory.of(spec), RunRecord.of(spec, task)
    with ExitStack() as stack:
        stack.enter_context(distributed.arithmetic_threads(spec.launch, place.local_world_size))
        stack.enter_context(distributed.process_group(device, place))
        stack.enter_context(own_random_state(device))
        finished = _find_finished(spec, directory, record, stack) if distributed.is_main() else None
        finished = distributed.from_main(finished)
        if finished is not None:
            return cast(TrainResult, finished)
        try:
            return _TrainingRun(spec, task, device, directory, record).run(Interruption(launcher_pid))
        except torch.OutOfMemoryError as error:
            raise ConfigurationError(
                f"The device's memory is too small: {error}. Lower launch.device_batch_size (vqvae.run."
                "frames_per_device, vpp_video.clips_per_device, vpp_policy.items_per_device); the rest of "
                "train.batch_size is then accumulated."
            ) from error


def _find_finished(
    spec: TrainSpec, directory: RunDirectory, record: RunRecord, stack: ExitStack
) -> TrainResult | None:
    """The run's result if it is finished; else this process holds the folder's lock, until ``stack`` ends.

    A finished run is found without the lock, so that nothing needs to be written where nothing can be.
    """
    afresh = spec.train.resume == "never"
    finished = None if afresh else directory.finished(record)
    if finished is None:
        stack.enter_context(directory.locked())
        finished = None if afresh else directory.restore(record)
    if finished is not None:
        _log.info("%s: training is up to date (%d updates)", finished.task, finished.step)
    return finished


class _TrainingRun:
    """One run in one process: everything is built and restored first, then :meth:`run`."""

    def __init__(
        self,
        spec: TrainSpec,
        task: Task[Any],
        device: torch.device,
        directory: RunDirectory,
        record: RunRecord,
    ) -> None:
        self._spec, self._task, self._directory, self._record = spec, task, directory, record
        self._dataset = task.build_dataset()
        items = len(cast(Any, self._dataset))
        self._schedule = plan_schedule(spec.train, items, task.samples_per_item)
        self._order = DataOrder(items, spec.train.batch_size, spec.train.seed)
        self._plan = plan_batches(spec.train, spec.launch, distributed.world_size())
        self._parts = build_parts(spec, task, device)
        self._precision = usable_precision(device, spec.train.precision)
        train = spec.train.model_copy(update={"precision": self._precision})
        self._updater = Updater(task, train, self._parts, self._schedule, self._plan)
        self._probing = Probing(spec.probe, task, self._schedule)
        self._best = BestWeights(directory.best, {} if spec.probe is None else spec.probe.keep)
        # Only now, when all processes found that this run is possible, may another run make place for it.
        distributed.barrier()
        if distributed.is_main():
            directory.prepare(record, afresh=spec.train.resume == "never")
        state = load_latest(directory.checkpoints, self._parts, record.digest)
        self._start = 0 if state is None else state.step
        self._speed = SpeedMeter()
        self._replaced = 0

    def run(self, interruption: Interruption) -> TrainResult:
        """Does the remaining updates."""
        self._announce()
        with interruption, self._sinks() as sinks:
            if self._start == 0:
                self._look_ahead(sinks)
                self._measure_untrained(sinks)
            if self._start > 0 and self._shows(self._start):
                self._make_pictures(self._start, sinks)  # a kill may have come before they were made
            if self._start < self._schedule.steps:
                self._train(interruption, sinks)
        result = self._result()
        if distributed.is_main():
            result = self._directory.write_result(result)
        return cast(TrainResult, distributed.from_main(result))

    def _train(self, interruption: Interruption, sinks: list[MetricSink]) -> None:
        train, steps = self._spec.train, self._schedule.steps
        with self._batches() as loaded, self._progress() as progress:
            batches = self._speed.timed(self._counted(loaded))
            self._speed.read()
            for step in range(self._start, steps):
                interruption.check_launcher()
                outcome = self._updater.run(step, batches, lambda: interruption.requested)
                self._speed.count(self._plan.batch_size)
                done, last = step + 1, step + 1 == steps
                if last or self._probing.due(done) or done % train.log_every_steps == 0:
                    self._log_row(done, outcome, sinks)
                if progress is not None:
                    progress.advance(note=f"loss {outcome.loss:.4g}")
                if outcome.stop or self._shows(done):
                    path = self._save(done)
                    if outcome.stop and not last:
                        raise interrupted(interruption.received or "a signal to another process", done, path)
                    self._make_pictures(done, sinks)

    def _batches(self) -> AbstractContextManager[Iterator[Mapping[str, Any]]]:
        """This process's micro-batches from the first remaining update to the last one."""
        sampler = RankBatches(self._order, self._plan, distributed.rank(), self._start, self._schedule.steps)
        seed, pin = seed_for("loader", self._spec.train.seed), self._parts.device.type == "cuda"
        return loaded_batches(self._dataset, sampler, self._spec.launch, seed, pin=pin)

    def _counted(self, batches: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Passes ``batches`` on and counts the items that others had to stand in for."""
        for batch in batches:
            self._replaced += int(torch.as_tensor(batch.get("replaced", 0)).sum())
            yield batch

    def _shows(self, step: int) -> bool:
        """Whether an undisturbed run saves its state at this step and makes pictures of it."""
        return step == self._schedule.steps or step % self._checkpoint_interval == 0

    @property
    def _checkpoint_interval(self) -> int:
        default = max(self._schedule.steps_per_epoch, _LEAST_STEPS_BETWEEN_CHECKPOINTS)
        return self._spec.train.checkpoint_every_steps or default

    def _save(self, step: int) -> Path:
        train = self._spec.train
        lasting = train.keep_every and train.keep_every * self._checkpoint_interval
        return save_checkpoint(
            self._directory.checkpoints, self._parts, self._state(step), train.keep_checkpoints, lasting
        )

    def _state(self, step: int) -> CheckpointState:
        finished = step == self._schedule.steps
        return CheckpointState(task=self._task.name, digest=self._record.digest, step=step, finished=finished)

    def _look_ahead(self, sinks: list[MetricSink]) -> None:
        """Lets a task that wants to show on the main process what its first batch is."""
        if not isinstance(self._task, LooksAhead):
            return
        if distributed.is_main():
            items = next(iter(RankBatches(self._order, self._plan, 0, 0, 1)))
            directory = self._spec.report_directory
            directory.mkdir(parents=True, exist_ok=True)
            with own_random_state(self._parts.device):
                files = self._task.before_training(self._parts.model, items, self._spec.train, directory)
            self._keep_reports(files, sinks)
        distributed.barrier()

    def _measure_untrained(self, sinks: list[MetricSink]) -> None:
        """Logs what the probe says of the weights that training starts from, as update 0."""
        if not self._probing.measures_untrained:
            return
        scores = self._probing.measure(self._parts.model, self._parts.device)
        named = {f"probe/{name}": value for name, value in scores.items()}
        for sink in sinks:
            sink.log({"step": 0, "epoch": 0.0, "time": time.time(), **named})

    def _keep_reports(self, files: list[Path], sinks: list[MetricSink]) -> None:
        self._directory.add_reports(files)
        for sink in sinks:
            sink.log_files(files)

    def _make_pictures(self, step: int, sinks: list[MetricSink]) -> None:
        """Lets the task look at the model on the main process while the others wait."""
        model = whole_model(self._task, self._parts.model, self._parts.device)
        if distributed.is_main():
            self._spec.report_directory.mkdir(parents=True, exist_ok=True)
            with own_random_state(self._parts.device), evaluation_mode(model), torch.no_grad():
                files = self._task.on_checkpoint(model, self._spec.report_directory, step)
            self._keep_reports(files, sinks)
        distributed.barrier()

    def _log_row(self, step: int, outcome: UpdateOutcome, sinks: list[MetricSink]) -> None:
        metrics = {
            name: float(distributed.mean_across_ranks(value)) for name, value in outcome.metrics.items()
        }
        row = {
            "step": step,
            "epoch": self._schedule.epoch(step),
            "time": time.time(),
            "train/loss": outcome.loss,
            **{f"train/{name}": value for name, value in metrics.items()},
            "optimizer/learning_rate": outcome.learning_rate,
            "optimizer/gradient_norm": outcome.gradient_norm,
            "optimizer/skipped": float(outcome.skipped),
            **self._speed.read(),
            "data/replaced": float(distributed.sum_across_ranks(torch.tensor(float(self._replaced)))),
            "system/peak_memory_gibibytes": peak_memory_gibibytes(self._parts.device),
        }
        if self._probing.due(step):
            scores = self._probing.measure(self._parts.model, self._parts.device)
            self._best.offer(scores, self._parts, self._state(step))
            row |= {f"probe/{name}": value for name, value in scores.items()}
            self._speed.read()  # the time of the measurement is not that of training
        for sink in sinks:
            sink.log(row)

    @contextmanager
    def _sinks(self) -> Iterator[list[MetricSink]]:
        """Log file and MLflow on the main process, nothing on the others."""
        sinks: list[MetricSink] = []
        if distributed.is_main():
            # A run that begins again measures the untrained model again: its old row 0 goes, too.
            sinks.append(JsonLinesSink(self._directory.log, self._start or -1))
            if self._spec.tracking is not None:
                sinks.append(MlflowSink(self._spec.tracking, history=read_rows(self._directory.log)))
        try:
            yield sinks
        finally:
            for sink in sinks:
                sink.close()

    def _progress(self) -> AbstractContextManager[Progress | None]:
        if distributed.is_main():
            return Progress(self._schedule.steps, self._task.name, "update", self._start)
        return nullcontext()

    def _announce(self) -> None:
        if distributed.is_main():
            if self._precision != self._spec.train.precision:
                _log.warning(
                    "train.precision is %s, which this %s has no instructions for: computing in %s, as "
                    "emulating it would take several times as long.",
                    *(self._spec.train.precision, self._parts.device.type, self._precision),
                )
            plan = self._plan
            split = f"at most {plan.largest} per device x {plan.world_size} devices"
            if plan.idle_processes:
                _log.warning(
                    "%s: an update has %d items for %d processes; %d of them only repeat items, with weight "
                    "0. Start fewer processes, or set train.batch_size.",
                    *(self._task.name, plan.batch_size, plan.world_size, plan.idle_processes),
                )
            _log.info(
                "%s: %d updates of %d items (%s x %d accumulated) on %s, from update %d",
                *(self._task.name, self._schedule.steps, plan.batch_size, split, plan.accumulation),
                *(self._parts.device.type, self._start),
            )

    def _result(self) -> TrainResult:
        return TrainResult(
            task=self._task.name,
            status="resumed" if self._start else "trained",
            digest=self._record.digest,
            step=self._schedule.steps,
            resumed_from=self._start,
            run_directory=self._directory.path,
            checkpoint=checkpoint_path(self._directory.checkpoints, self._schedule.steps),
            log=self._directory.log,
            epoch=self._schedule.epoch(self._schedule.steps),
            precision=self._precision,
            tracked=self._spec.tracking is not None,
        )
