import pytest
from pydantic import ValidationError

from vidrep_pipelines.evaluation.frame_embeddings.config import PhasesConfig


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fractions": (0.0, 1.0)}, r"numbers in \(0, 1\]"),
        ({"fractions": (0.5, 0.5)}, "different numbers"),
        ({"neighbors": (0, 5)}, "from 1 on"),
        ({"neighbors": ()}, "at least 1"),
        ({"stride": 0}, "greater than or equal to 1"),
        ({"tasks": ("kendal_tau",)}, "kendall_tau"),
        ({"shown": {"rule": "longest"}}, "'lengths' or 'first'"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PhasesConfig.model_validate(changes)
