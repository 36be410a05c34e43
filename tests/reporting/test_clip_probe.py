import numpy as np
import pandas as pd

from vidrep_pipelines.reporting.clip_probe import confusion_picture


def confusion(classes: int) -> pd.DataFrame:
    rows = [(f"class {n:02d}", f"class {(n + n % 2) % classes:02d}", 4) for n in range(classes)]
    return pd.DataFrame(rows, columns=["true", "answer", "clips"])


def test_more_classes_make_a_larger_picture_up_to_a_point() -> None:
    sizes = [confusion_picture(confusion(count), "title").size for count in (3, 12, 24, 60)]
    assert sizes[0] < sizes[1] < sizes[2] == sizes[3]


def test_what_is_right_is_dark_on_the_diagonal() -> None:
    right = confusion(6).assign(answer=confusion(6)["true"])
    pictures = [np.asarray(confusion_picture(table, "title").convert("L")) for table in (right, confusion(6))]
    assert all(np.ptp(picture) > 150 for picture in pictures)
    assert (pictures[0] != pictures[1]).any()
