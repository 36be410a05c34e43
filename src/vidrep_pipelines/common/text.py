"""Names that a user chose, as tables, folders and comparisons can hold them."""

import re
import unicodedata

import pandas as pd

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
    safe = _CONTROL.sub(lambda found: f"%{ord(found[0]):02X}", safe)
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """The same table, with an apostrophe before texts that a spreadsheet would take for formulas.

    Names are chosen by whoever made the data, and a formula can send what stands in other cells elsewhere.
    """
    texts = table.select_dtypes(include=["object", "string", "category"]).columns
    return table.assign(**{name: table[name].map(_plain) for name in texts})


def _plain(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
