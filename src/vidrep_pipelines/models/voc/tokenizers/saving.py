"""Where pictures of a training go."""

from collections.abc import Mapping
from pathlib import Path

from PIL.Image import Image


def save_pictures(pictures: Mapping[str, Image], directory: Path, step: int) -> list[Path]:
    """Saves each picture as ``<directory>/<name>/step-<step>.png`` and returns the paths."""
    paths = [directory / name / f"step-{step:08d}.png" for name in pictures]
    for path, picture in zip(paths, pictures.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    return paths
