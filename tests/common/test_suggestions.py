import logging
import unicodedata

import pytest

from vidrep_pipelines.common.suggestions import did_you_mean, warn_of_absent


def test_the_closest_names_come_first() -> None:
    assert did_you_mean("pourng", ["wave", "pouring", "pours"]) == " Did you mean 'pouring' or 'pours'?"
    assert did_you_mean("zzz", ["wave", "pouring"]) == ""


def test_only_absent_names_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "vidrep_pipelines"):
        warn_of_absent("selection.robots", ("sawyer", "baxtr"), {"sawyer", "baxter"})
    assert [record.getMessage() for record in caplog.records] == [
        "selection.robots: nothing here is called 'baxtr'. Did you mean 'baxter'?"
    ]


def test_numbers_and_both_spellings_of_letters(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "vidrep_pipelines"):
        warn_of_absent("selection.cameras", (0, 7), {0, 1})
        warn_of_absent("selection.robots", (unicodedata.normalize("NFD", "Übung"),), {"Übung"})
    assert [record.getMessage() for record in caplog.records] == [
        "selection.cameras: nothing here is called 7."
    ]
