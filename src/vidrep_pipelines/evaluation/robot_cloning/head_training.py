"""Heads of all inputs, tasks and seeds, trained one by one; an item's id is ``<input>/<task>/<seed>``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vidrep_pipelines.common.arrays import SingleArray
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.label_propagation.frame_features import device_of_sequence
from vidrep_pipelines.evaluation.label_propagation.settings import DeviceName
from vidrep_pipelines.evaluation.robot_cloning.cloned_policy import HeadInput
from vidrep_pipelines.evaluation.robot_cloning.cloning_head import CloningHead, histories, trained_heads
from vidrep_pipelines.evaluation.robot_cloning.config import CloningHeadConfig
from vidrep_pipelines.evaluation.robot_cloning.demonstrations import Demonstration, opened_store
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job, Scalar

CLONED_SUFFIX = ".safetensors"
FRAME_FEATURE_SUFFIX = ".npy"

_CLONING = 1
"""Version of what equal inputs lead to: raised when the code that computes it changes its results."""
_LONGEST_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True)
class DemonstrationStore:
    """Where demonstrations are.

    Attributes:
        folder: Of the frame store.
        digest: Of its content.
    """

    folder: Path
    digest: str


@dataclass(frozen=True)
class CloningItem:
    """One head to train.

    Attributes:
        store: States and actions.
        features: Folder with ``<view>.npy`` of its input. None: it sees nothing.
        demonstrations: Those of the task.
        given: What it is given beside features.
        config: Sizes and training.
        seed: Of weights and batches.
        device: Where it is trained.
        number: Of the item; it deals items to GPUs.
    """

    store: DemonstrationStore
    features: Path | None
    demonstrations: tuple[Demonstration, ...]
    given: HeadInput
    config: CloningHeadConfig
    seed: int
    device: DeviceName
    number: int = 0

    @property
    def digest(self) -> str:
        """Changes with what is learned from and how, but for features."""
        shown = [one.digest for one in self.demonstrations]
        return digest_of(_CLONING, shown, self.given, self.config, self.seed)


def cloning_job(items: Mapping[str, CloningItem], features: Mapping[str, str], fanout: FanOutConfig) -> Job:
    """One item per head.

    Args:
        items: By ``<input>/<task>/<seed>``.
        features: Digest of what each head sees, by the same name.
        fanout: How items are executed; a head is trained for as long as it takes.
    """
    made = [Item(name, item, digest_of(item.digest, features[name])) for name, item in items.items()]
    patient = fanout.model_copy(update={"deadline_seconds": _LONGEST_SECONDS})
    return Job("cloned heads", clone_behavior, made, (CLONED_SUFFIX,), patient.trying_again())


def clone_behavior(item: CloningItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Trains a head and writes it as it was each time that it was kept.

    Raises:
        InputError: Demonstrations or features cannot be read.
    """
    inputs, actions = _steps(item)
    device = device_of_sequence(item.device, item.number)
    kept, last = dict[str, Tensor](), 0.0
    for after, head, loss in trained_heads(inputs, actions, item.config, item.seed, device):
        last = loss
        state = {name: tensor.detach().cpu().clone() for name, tensor in head.state_dict().items()}
        kept |= {f"{after}/{name}": tensor for name, tensor in state.items()}
    save_file(kept, outputs[CLONED_SUFFIX])
    return {"steps": len(inputs), "inputs": inputs.shape[1], "outputs": actions.shape[1], "loss": last}


def _steps(item: CloningItem) -> tuple[SingleArray, SingleArray]:
    """What is seen (N, F) and done (N, A) at all control steps of all demonstrations."""
    store = opened_store(item.store.folder, item.store.digest)
    inputs, actions = list[SingleArray](), list[SingleArray]()
    for one in item.demonstrations:
        states, done = store.states(one.view), store.actions(one.view)
        if not len(done):
            raise InputError(f"{one.view}: no actions are stored. Remedy: leave its data set out.")
        parts = [item.given.beside(states, one.instruction)]
        if item.features is not None:
            seen = read_frame_features(item.features / f"{one.view}{FRAME_FEATURE_SUFFIX}")
            parts.insert(0, histories(seen, item.given.history))
        inputs.append(np.concatenate([part[: len(done)] for part in parts], axis=1).astype(np.float32))
        actions.append(done)
    return np.concatenate(inputs), np.concatenate(actions)


def read_frame_features(path: Path) -> SingleArray:
    """Features (T, D) of the frames of a demonstration.

    Raises:
        InputError: The file is gone or damaged.
    """
    try:
        features: SingleArray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} holds no features ({error}). Remedy: delete it and run again.") from error
    return features.astype(np.float32)


def load_cloned(path: Path, after: int, device: torch.device) -> CloningHead:
    """A head as it was after so many epochs or updates, ready to act; sizes follow from its tensors.

    Raises:
        InputError: The file is damaged, or it was not kept then.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(f"{after}/")]  # noqa: SIM118
            state = {name.partition("/")[2]: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} holds no head ({error}). Remedy: delete it and run again.") from error
    if "action.weight" not in state:
        raise InputError(f"{path}: no head was kept after {after}. Remedy: delete it and run again.")
    count = sum(name.startswith("layers.") and name.endswith(".weight") for name in state)
    hidden = tuple(len(state[f"layers.{number}.weight"]) for number in range(count))
    head = CloningHead(len(state["norm.weight"]), len(state["action.weight"]), hidden)
    head.load_state_dict(state)
    return head.to(device).eval()


def head_names(inputs: Sequence[str], tasks: Sequence[str], seeds: Sequence[int]) -> list[str]:
    """Names of all heads: ``<input>/<task>/<seed>``."""
    return [f"{one}/{task}/{seed}" for one in inputs for task in tasks for seed in seeds]
