import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.item_id import is_usable
from vidrep_pipelines.common.text import composed, folder_name

ANY_NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def test_both_spellings_of_a_letter_are_one() -> None:
    assert composed(unicodedata.normalize("NFD", "Übung")) == composed("Übung") == "Übung"


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("opening door / window", "opening door %2F window"),
        ("../up", "%2E.%2Fup"),
        (".hidden", "%2Ehidden"),
        ("a\\b\t", "a%5Cb%09"),
        ("massaging person's head", "massaging person's head"),
        (unicodedata.normalize("NFD", "Übung"), "Übung"),
    ],
)
def test_names_as_folders(name: str, folder: str) -> None:
    assert folder_name(name) == folder


@given(ANY_NAME)
def test_a_folder_name_is_one_visible_folder(name: str) -> None:
    folder = folder_name(name)
    assert "/" not in folder
    assert not folder.startswith(".")
    assert folder_name(folder) == folder
    assert is_usable(f"classes/{folder}/clip") or ".partial-" in folder
