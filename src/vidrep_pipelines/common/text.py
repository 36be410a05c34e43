"""Names that a user chose, as tables, folders and comparisons can hold them."""

import re
import unicodedata

LONGEST_NAME = 255
"""Bytes of a file's or folder's name on every common file system."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_utf8(text: str) -> bool:
    """False for file names with bytes that are not UTF-8; no table could hold them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def composed(name: str) -> str:
    """The one spelling under which names are compared and counted (Unicode's form NFC).

    macOS writes letters with accents as two characters, most keyboards as one: both look the same, and a
    comparison of the bytes would make two classes of them.
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def folder_name(name: str) -> str:
    """A name that can be one folder's: ``a/b`` becomes ``a%2Fb``, and ``.a``, which is hidden, ``%2Ea``.

    The spelling is that of addresses: people can read it, and ``a/b`` stays another name than ``a_b``.
    """
    safe = composed(name).replace("/", "%2F").replace("\\", "%5C")
    safe = _CONTROL.sub(lambda match: f"%{ord(match[0]):02X}", safe)
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe
