import pytest
from pydantic import ValidationError

from vidrep_pipelines.common.config import FrozenConfig


class Config(FrozenConfig):
    model_size: int = 3
    """How large."""


def test_unknown_keys_and_wrong_types_are_errors() -> None:
    with pytest.raises(ValidationError, match="model_sise"):
        Config.model_validate({"model_sise": 3})
    with pytest.raises(ValidationError, match="model_size"):
        Config.model_validate({"model_size": "large"})


def test_values_never_change() -> None:
    config = Config()
    with pytest.raises(ValidationError, match="frozen"):
        config.model_size = 4  # type: ignore[misc]
    assert config == Config(model_size=3)
    assert hash(config) == hash(Config())


def test_docstrings_describe_fields() -> None:
    assert Config.model_fields["model_size"].description == "How large."
