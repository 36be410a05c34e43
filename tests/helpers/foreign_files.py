"""What other programs make of folders: names without zeros, and files beside files."""

from pathlib import Path

APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(200) + b"\x8f\xff\xb0"
"""What macOS puts beside every file on a foreign disk, as ``._name``."""


def add_hidden_files(root: Path) -> Path:
    """Puts ``._name`` beside every file below a folder."""
    for path in [path for path in root.rglob("*") if path.is_file()]:
        (path.parent / f"._{path.name}").write_bytes(APPLE_DOUBLE)
    return root


def take_zeros_off(root: Path) -> Path:
    """Renames every picture whose name is a number: ``00001.jpg`` becomes ``1.jpg``."""
    for path in [path for path in root.rglob("*") if path.suffix in (".jpg", ".png") and path.stem.isdigit()]:
        path.rename(path.with_name(f"{int(path.stem)}{path.suffix}"))
    return root
