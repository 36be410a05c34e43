from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.validation_errors import describe_invalid


class Optimizer(FrozenConfig):
    name: Literal["adamw", "sgd"] = "adamw"
    warmup_steps: int = Field(1, ge=0)


class Pixels(FrozenConfig):
    kind: Literal["pixels"]
    patch_size: int = 8


class File(FrozenConfig):
    kind: Literal["file"]
    weights: str


class Whole(FrozenConfig):
    optimizer: Optimizer = Optimizer()
    known: dict[str, Annotated[Pixels | File, Field(discriminator="kind")]] = Field({})
    sizes: tuple[int, ...] = ()
    other: Optimizer | None = None


class Secret(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    port: int


def described(kind: type[BaseModel], values: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(values)
    return describe_invalid(caught.value, kind, "rsp")


@pytest.mark.parametrize(
    ("values", "name", "sentence"),
    [
        (
            {"optimizer": {"warmup_stepz": 3}},
            "rsp.optimizer.warmup_stepz",
            "rsp.optimizer has no parameter 'warmup_stepz'. Did you mean 'warmup_steps'?",
        ),
        ({"zzz": 3}, "rsp.zzz", "rsp has no parameter 'zzz'. It has: known, optimizer, other, sizes."),
        (
            {"other": {"nam": "sgd"}},
            "rsp.other.nam",
            "rsp.other has no parameter 'nam'. Did you mean 'name'?",
        ),
        (
            {"optimizer": {"name": "adam"}},
            "rsp.optimizer.name",
            "rsp.optimizer.name should be 'adamw' or 'sgd', not 'adam'. Did you mean 'adamw'?",
        ),
        (
            {"optimizer": {"warmup_steps": -1}},
            "rsp.optimizer.warmup_steps",
            "rsp.optimizer.warmup_steps should be greater than or equal to 0, not -1.",
        ),
        (
            {"known": {"mine": {"kind": "pixels", "patch_sise": 3}}},
            "rsp.known.mine.patch_sise",
            "rsp.known.mine has no parameter 'patch_sise'. Did you mean 'patch_size'?",
        ),
        (
            {"known": {"file": {"kind": "file"}}},
            "rsp.known.file.weights",
            "rsp.known.file.weights is missing, and has no default.",
        ),
        (
            {"sizes": [1, "b"]},
            "rsp.sizes[1]",
            "rsp.sizes[1] should be a valid integer, unable to parse string as an integer, not 'b'.",
        ),
    ],
)
def test_a_wrong_value_is_named_as_its_user_writes_it(
    values: dict[str, Any], name: str, sentence: str
) -> None:
    assert described(Whole, values) == {name: sentence}


def test_every_wrong_value_has_its_sentence() -> None:
    found = described(Whole, {"optimizer": {"warmup_steps": -1}, "zzz": 3})
    assert list(found) == ["rsp.optimizer.warmup_steps", "rsp.zzz"]


def test_values_that_may_be_passwords_are_not_shown() -> None:
    assert described(Secret, {"port": "letmein"}) == {
        "rsp.port": "rsp.port should be a valid integer, unable to parse string as an integer."
    }
