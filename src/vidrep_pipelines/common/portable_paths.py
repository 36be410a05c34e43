"""Descriptions of runs whose paths stay right when the data root is copied or moved.

A description lies at ``<data root>/06_models/<model>/<file>.json``. In the file, a path inside the data root
begins with ``{data_root}``, and the entry ``data_root`` says where that is, seen from the file's folder. In
memory all paths are absolute.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_ROOT_ENTRY, _ROOT = "data_root", "{data_root}"
_LEVELS = 2
"""Folders between the data root and a description."""

_OWN_PLACES = ("run_directory", "directory")
"""Entries that name a folder beside the description, by which an older one is known to have been moved."""


def portable(description: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The description as it is stored in ``folder``, with paths that move with the data root."""
    root = _root_above(folder)
    moved = _replace_start(dict(description), f"{root}", _ROOT)
    return {_ROOT_ENTRY: "/".join([".."] * _LEVELS), **moved}


def resolved(description: Any, folder: Path) -> dict[str, Any]:
    """The description that was read from ``folder``, with absolute paths.

    Descriptions of earlier versions hold absolute paths. Where these show that the description has been
    copied or moved since, paths in the former data root become paths in the present one: a copy must never
    write into the original.

    Raises:
        ValueError: It is no description.
    """
    if not isinstance(description, Mapping) or not isinstance(description.get(_ROOT_ENTRY, ""), str):
        raise ValueError("it holds no description of a run")
    content = {name: value for name, value in description.items() if name != _ROOT_ENTRY}
    if _ROOT_ENTRY in description:
        root = os.path.normpath(folder.absolute() / description[_ROOT_ENTRY])
        return _replace_start(content, _ROOT, root)
    former, root = _former_root(content, folder), f"{_root_above(folder)}"
    if former is None or former == root or _mentions(content, root):
        return content
    return _replace_start(content, former, root)


def without_places(value: Any) -> Any:
    """The same nest of mappings and lists; of paths on this machine stay only their last names.

    Addresses of other machines (``s3://bucket/videos``) stay; so do keys.
    """
    return _each_text(value, _without_place)


def text_without_places(text: str) -> str:
    """A sentence in which of every absolute path only the last name is left: "the videos in train"."""
    return _ABSOLUTE.sub(r"\1", text)


_ABSOLUTE = re.compile(r"(?<![\w.:/~])~?/(?:[^\s/,;()'\"]+/)*([^\s/,;()'\"]+)/?")


def _without_place(text: str) -> str:
    path = text.removeprefix("file://")
    return Path(path).name or path if path.startswith(("/", "~")) else text


def _root_above(folder: Path) -> Path:
    return Path(os.path.normpath(folder.absolute() / "/".join([".."] * _LEVELS)))


def _former_root(description: Mapping[str, Any], folder: Path) -> str | None:
    """The data root at the time of writing, if the description then lay in a folder called like this one."""
    own = next((description[name] for name in _OWN_PLACES if name in description), None)
    if not isinstance(own, str) or not Path(own).is_absolute():
        return None
    written = Path(own).parent
    same = written.parts[-_LEVELS:] == Path(os.path.normpath(folder.absolute())).parts[-_LEVELS:]
    return f"{_root_above(written)}" if same and len(written.parts) > _LEVELS else None


def _mentions(value: Any, root: str) -> bool:
    """Whether any path lies in ``root``."""
    texts: list[str] = []

    def note(text: str) -> str:
        if _is_below(text, root):
            texts.append(text)
        return text

    _each_text(value, note)
    return bool(texts)


def _replace_start(value: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    def replace(text: str) -> str:
        return new + text[len(old) :] if _is_below(text, old) else text

    changed: dict[str, Any] = _each_text(value, replace)
    return changed


def _is_below(text: str, root: str) -> bool:
    return text == root or text.startswith(root.rstrip("/") + "/")


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """The same nest of mappings and lists with every text changed; keys stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _each_text(item, change) for name, item in value.items()}
    return [_each_text(item, change) for item in value] if isinstance(value, list | tuple) else value
