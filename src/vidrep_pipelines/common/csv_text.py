"""Tables that people open in spreadsheets."""

import pandas as pd

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """The same table, with an apostrophe before texts that a spreadsheet would take for formulas.

    Names are chosen by whoever made the data, and a formula can send what stands in other cells elsewhere.
    """
    texts = table.select_dtypes(include=["object", "string", "category"]).columns
    return table.assign(**{name: table[name].map(_plain) for name in texts})


def _plain(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
