"""A tiny system that the training tests train."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.training import distributed
from vidrep_pipelines.training.config import LaunchConfig, OptimizerConfig, TrainConfig, TrainSpec
from vidrep_pipelines.training.optimizer import weight_decay_groups
from vidrep_pipelines.training.sinks import read_rows
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo

_FEATURES = 6


class ToyDataset(Dataset[dict[str, Any]]):
    """Noisy observations of a fixed linear map; the noise is new in every epoch."""

    def __init__(self, items: int, bad_item: int | None = None, broken_item: int | None = None) -> None:
        self._items, self._bad_item, self._broken_item = items, bad_item, broken_item

    def __len__(self) -> int:
        return self._items

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, index = key
        if index == self._broken_item:
            raise InputError(f"clip_{index:03d} cannot be read.")
        generator = generator_for("toy", epoch, index)
        inputs = generator.standard_normal(_FEATURES).astype(np.float32)
        target = np.float32(inputs.sum() + 0.1 * generator.standard_normal())
        if index == self._bad_item:
            inputs = inputs * np.float32(np.nan)
        return {"inputs": inputs, "target": target, "index": index}


class ToyModel(nn.Module):
    """Two layers with dropout, so that the global generator matters."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Linear(_FEATURES, width)
        self.second = nn.Linear(width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.squeeze(self.second(self.dropout(torch.tanh(self.first(inputs)))), -1)


class ToyTask(FrozenConfig):
    """Regression by :class:`ToyModel`, with faults to order."""

    name_in_digests: ClassVar[str] = "tests.training.toy_task:ToyTask"
    """What stands for this class in the identity of a run; it stays the same wherever the class goes."""

    items: int = 40
    width: int = 8
    dropout: float = 0.0
    samples_per_item: int = 1
    bad_item: int | None = None
    loss_scale: float = 1.0
    endless_gradient: bool = False
    """The loss is finite, its gradient is not."""
    kill_rank: int | None = None
    """This rank kills itself at ``kill_step``, once: ``kill_marker`` remembers that it did."""
    kill_step: int = 0
    kill_signal: int = signal.SIGKILL
    kill_marker: Path | None = None
    hang_at: int | None = None
    """Before this update the first process leaves ``kill_marker`` and computes for a very long time."""
    listening: Path | None = None
    """Every process notes the addresses at which it and its parent listen, in ``<listening>-<rank>``."""
    fault: str = ""
    """Text of an error that the loss raises."""
    broken_item: int | None = None
    """Reading it raises our own error."""

    @property
    def name(self) -> str:
        return "toy"

    def identity(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include={"items", "width", "dropout", "bad_item", "loss_scale"})

    def checkpoint_config(self) -> dict[str, Any]:
        return self.model_dump(mode="json", include={"width", "dropout"})

    def build_model(self) -> ToyModel:
        return ToyModel(self.width, self.dropout)

    def build_dataset(self) -> Dataset[Any]:
        return ToyDataset(self.items, self.bad_item, self.broken_item)

    def item_names(self, indices: Sequence[int]) -> list[str]:
        return [f"clip_{index:03d}" for index in indices]

    def parameter_groups(self, model: ToyModel, weight_decay: float) -> list[dict[str, Any]]:
        return weight_decay_groups(model, weight_decay)

    def shard_units(self, model: ToyModel) -> list[nn.Module]:
        return [module for module in model.modules() if isinstance(module, nn.Linear)]

    def loss(self, model: ToyModel, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        self._misbehave(step)
        errors = model(batch["inputs"]).float() - batch["target"]
        loss = self.loss_scale * errors.square().mean()
        if self.endless_gradient:
            loss = loss + torch.sqrt(0.0 * errors.square().sum())
        mean = step.mean_across_ranks(errors.detach().abs().mean())
        torch.testing.assert_close(mean, step.gather_across_ranks(errors).abs().mean(), equal_nan=True)
        return loss, {"absolute_error": errors.detach().abs().mean(), "agreed_error": mean}

    def on_checkpoint(self, model: ToyModel, directory: Path, step: int) -> list[Path]:
        path = directory / f"toy-{step:04d}.txt"
        torch.rand(3)  # must not disturb training
        path.write_text(f"{model.training} {model(torch.ones(1, _FEATURES)).item()}")
        return [path]

    def _misbehave(self, step: StepInfo) -> None:
        if self.fault:
            raise TypeError(self.fault)
        if self.listening is not None:
            note = self.listening.with_name(f"{self.listening.name}-{distributed.rank()}")
            note.write_text("\n".join(listening_addresses(os.getpid()) + listening_addresses(os.getppid())))
        if self.hang_at == step.step and distributed.is_main() and self.kill_marker is not None:
            self.kill_marker.touch()
            while True:
                time.sleep(0.01)
        due = distributed.rank() == self.kill_rank and step.step == self.kill_step
        if due and self.kill_marker is not None and not self.kill_marker.exists():
            self.kill_marker.touch()
            os.kill(os.getpid(), self.kill_signal)


def listening_addresses(process: int) -> list[str]:
    """IP addresses at which a process (Linux) accepts connections; any address at all is ``0.0.0.0``."""
    sockets = set[str]()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                packed = bytes.fromhex(fields[1].partition(":")[0])
                found.append(".".join(map(str, packed[::-1])) if table == "tcp" else f"[{packed.hex()}]")
    return found


TOY_TRAIN = TrainConfig(
    steps=12,
    batch_size=8,
    seed=3,
    checkpoint_every_steps=4,
    optimizer=OptimizerConfig(learning_rate=0.05, warmup_steps=2),
)
"""Twelve updates, five to a pass, with checkpoints after 4, 8 and 12."""

IN_PROCESS = LaunchConfig(device="cpu", loader_workers=0)
"""One process, no data-loader workers."""


def toy_spec(
    folder: Path,
    task: ToyTask | None = None,
    train: TrainConfig = TOY_TRAIN,
    launch: LaunchConfig = IN_PROCESS,
) -> TrainSpec:
    """The training of ``task`` in ``folder/run``."""
    return TrainSpec.of(
        task or ToyTask(),
        train=train,
        launch=launch,
        run_directory=folder / "run",
        report_directory=folder / "reports",
    )


def losses(folder: Path) -> list[float]:
    """The logged losses, which must be of updates 1, 2, 3, ... without gap or repetition."""
    rows = read_rows(folder / "run" / "train_log.jsonl")
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    return [row["train/loss"] for row in rows]


def run_worker(
    spec: TrainSpec, folder: Path, *prefix: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs ``python [prefix] -m vidrep_pipelines.training.worker`` on ``spec`` in a new process."""
    path = folder / "spec.json"
    path.write_text(spec.model_dump_json())
    command = [sys.executable, *prefix, "-m", "vidrep_pipelines.training.worker", str(path)]
    environment = {**_environment(), **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


_LAUNCHER = """
import logging
import sys
import time
from pathlib import Path
from vidrep_pipelines.training.config import TrainSpec
from vidrep_pipelines.training.launch import launch

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    launch(TrainSpec.model_validate_json(Path(sys.argv[1]).read_text()))
"""


@contextmanager
def launched(spec: TrainSpec, folder: Path, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """Launches ``spec`` in a new process, which leads a process group of its own as in a terminal."""
    (folder / "spec.json").write_text(spec.model_dump_json())
    (folder / "launcher.py").write_text(_LAUNCHER)
    launcher = subprocess.Popen(
        [sys.executable, str(folder / "launcher.py"), str(folder / "spec.json")],
        env={**_environment(), **variables},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield launcher
    finally:
        with suppress(ProcessLookupError):
            os.killpg(launcher.pid, signal.SIGKILL)
        launcher.communicate()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
