"""A trained model in the catalog, of any system: weights, what rebuilds the model, where it came from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from vidrep_pipelines.common.digest import digest_of, digest_of_file
from vidrep_pipelines.common.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS, CONFIG, META = "model.safetensors", "config.json", "meta.json"
WEIGHTS_DIGEST = "weights_digest"
"""Entry of ``meta.json`` by which damaged weights are found; not part of :attr:`Checkpoint.meta`."""


@dataclass(frozen=True)
class Checkpoint:
    """Handle on a published checkpoint; holds no weights until they are asked for.

    Attributes:
        directory: The folder with ``model.safetensors``, ``config.json`` and ``meta.json``.
        config: What rebuilds the model.
        meta: Where it came from.
    """

    directory: Path
    config: dict[str, Any]
    meta: dict[str, Any]

    @classmethod
    def of(cls, folder: Path) -> Self:
        """The handle on a folder, with the configuration read; the weights are not looked at.

        Raises:
            InputError: A file is missing or cannot be read.
        """
        if not (folder / WEIGHTS).is_file():
            raise InputError(
                f"{folder / WEIGHTS} is missing. Remedy: publish the checkpoint again from its run."
            )
        return cls(folder, read_json_object(folder / CONFIG), read_meta(folder / META)[0])

    @classmethod
    def checked(cls, folder: Path) -> Self:
        """The same as :meth:`of`, after comparing the weights with the digest taken when they were published.

        Raises:
            InputError: The weights are damaged, or a file is missing or cannot be read.
        """
        checkpoint = cls.of(folder)
        digest = read_meta(folder / META)[1]
        if digest is not None and digest != digest_of_file(checkpoint.weights):
            raise InputError(
                f"{checkpoint.weights} is damaged: its bytes are not those that were published. Remedy: run "
                "the pretraining pipeline again; it publishes the weights of its run, or trains them again "
                "if these are damaged, too."
            )
        return checkpoint

    @property
    def weights(self) -> Path:
        """The safetensors file."""
        return self.directory / WEIGHTS

    @property
    def digest(self) -> str:
        """Digest of the weights and of what rebuilds the model."""
        return digest_of(digest_of_file(self.weights), self.config)

    def state_dict(self) -> "dict[str, Tensor]":
        """The weights on the CPU, mapped from the file: memory is used only for tensors that are touched.

        Raises:
            InputError: The file is missing or damaged.
        """
        from safetensors import SafetensorError  # noqa: PLC0415 (torch takes seconds)
        from safetensors.torch import load_file  # noqa: PLC0415

        try:
            state: dict[str, Tensor] = load_file(self.weights)
        except (SafetensorError, OSError) as error:
            raise InputError(
                f"{self.weights} cannot be read ({error}). Remedy: publish the checkpoint again from its run."
            ) from error
        return state


def read_meta(path: Path) -> tuple[dict[str, Any], str | None]:
    """The origin, and the digest of the weights; none in checkpoints of earlier versions.

    Raises:
        InputError: The file cannot be read.
    """
    meta = read_json_object(path)
    digest = meta.pop(WEIGHTS_DIGEST, None)
    return meta, digest


def read_json_object(path: Path) -> dict[str, Any]:
    """The content of a JSON file of a checkpoint.

    Raises:
        InputError: The file cannot be read, or holds something else than an object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); it is part of a checkpoint.") from error
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object; it is part of a checkpoint.")
    return value
