"""Digests of configurations: equal content gives an equal digest, in every process and on every machine."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

_DIGEST_BYTES = 8


def plain(value: Any) -> Any:
    """Turns configs, dataclasses, paths and tuples into what JSON knows."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # NumPy scalars
        return value.item()
    return value


def digest_of(*values: Any) -> str:
    """Sixteen hexadecimal characters that change when any of the values changes.

    Raises:
        TypeError: A value is neither a config, a dataclass, a path nor plain JSON data.
    """
    text = json.dumps(plain(list(values)), sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def digest_of_file(path: Path) -> str:
    """Digest of a file's bytes; sixteen hexadecimal characters.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_DIGEST_BYTES)).hexdigest()


def differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Says which fields differ, one line each: ``"train.seed: 0 -> 1"``."""
    old, new = plain(old), plain(new)
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        children = [
            differences(old.get(key, "(absent)"), new.get(key, "(absent)"), f"{name}.{key}".lstrip("."))
            for key in keys
        ]
        return [line for lines in children for line in lines]
    return [] if old == new else [f"{name}: {old} -> {new}"]
