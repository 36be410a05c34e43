"""What a downloaded file turns out to be, when it is not what its name says.

A look at the first bytes tells a pointer, a web page or a packed file from the real one, so that every reader
can say what happened and what helps, instead of what its parser stumbled over.
"""

import re
from pathlib import Path
from typing import NamedTuple

_HEAD = 1024
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_LFS_SIZE = re.compile(rb"^size (\d+)$", re.MULTILINE)
# "*+": no comment is read in two ways, else a hundred of them would take for ever.
_PAGE = re.compile(
    rb"^(?:<\?xml[^>]*>)?\s*(?:<!--.*?-->\s*)*+<(?:!doctype|html|head|body|error)\b", re.I | re.S
)
_APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00"
_MARK = b"\xef\xbb\xbf"
_PACKED = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"BZh", "bzip2"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
)


class Disguise(NamedTuple):
    """What a file is instead of what was expected.

    Attributes:
        what: What it is, as the end of a sentence: "it is ...".
        remedy: A sentence: what to do.
    """

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"it is {self.what}. {self.remedy}"


def disguise_of(path: Path) -> Disguise | None:
    """A Git-LFS pointer, a web page, an AppleDouble file, an empty file, or a pipe or device; else none.

    Args:
        path: A file of any format. What is missing, unreadable or a folder has no disguise: its reader says
            so.
    """
    head = file_head(path)
    return _irregular(path) if head is None else disguise_in(head)


def plain_disguise_of(path: Path) -> Disguise | None:
    """Like :func:`disguise_of`, for text and other formats that are never compressed and may hold nothing."""
    head = file_head(path)
    if head is None:
        return _irregular(path)
    return disguise_in(head) or _packed(head) if head else None


def file_head(path: Path) -> bytes | None:
    """The first bytes of a file; none if it cannot be read, or is a pipe, which may never answer."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return None


def disguise_in(head: bytes) -> Disguise | None:
    """Like :func:`disguise_of`, told by a file's first kilobyte."""
    if not head:
        return Disguise("empty", "Remedy: download it again.")
    if head.startswith(_LFS_POINTER):
        size = _LFS_SIZE.search(head)
        whole = f" to a file of {int(size[1])} bytes" if size else ""
        return Disguise(
            f"a Git-LFS pointer{whole}, not the file itself",
            "Remedy: run `git lfs install` and `git lfs pull` in the repository that it is from, or download "
            "the file itself from the repository's page.",
        )
    if _PAGE.match(head.removeprefix(_MARK).lstrip()):
        return Disguise(
            "a web page, which the server sent in place of the file",
            "Remedy: open it in a browser to read why (a quota, a login, a moved address), and download the "
            "file again.",
        )
    if head.startswith(_APPLE_DOUBLE):
        return Disguise(
            "an AppleDouble file, which macOS puts beside every file on foreign disks",
            "Remedy: delete the files that begin with `._`, and name the real one.",
        )
    return None


def is_irregular(path: Path) -> bool:
    """Whether reading may never end, or never begin."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _irregular(path: Path) -> Disguise | None:
    what = "no regular file (a pipe or a device)"
    return Disguise(what, "Remedy: name a file.") if is_irregular(path) else None


def _packed(head: bytes) -> Disguise | None:
    kind = next((kind for magic, kind in _PACKED if head.startswith(magic)), None)
    if kind is None:
        return None
    return Disguise(
        f"compressed ({kind})", "Remedy: unpack it (a table of a spreadsheet: save it as CSV, UTF-8)."
    )
