"""Which encoders are compared, and what is refused."""

import pytest

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.encoder_comparison.config import EncoderComparisonConfig
from vidrep_pipelines.evaluation.encoders.config import (
    CheckpointEncoderConfig,
    EncodersConfig,
    PixelEncoderConfig,
    RandomEncoderConfig,
    TimmEncoderConfig,
    is_untrained,
)

KNOWN = EncodersConfig(
    known={
        "random": RandomEncoderConfig(),
        "rsp": CheckpointEncoderConfig(dataset="rsp_checkpoint"),
        "pixels": PixelEncoderConfig(),
    },
    use=("pixels",),
)
TIMM = TimmEncoderConfig(model="test_vit", weights=None)


def test_the_reference_comes_first_and_further_ones_last() -> None:
    compared = EncoderComparisonConfig(further={"vit": TIMM}).compared(KNOWN)
    assert list(compared.known) == ["rsp", "random", "pixels", "vit"] and compared.use is None
    some = EncoderComparisonConfig(further={"vit": TIMM}, use=("vit", "rsp")).compared(KNOWN)
    assert some.use == ("rsp", "vit")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"use": ("rsp", "rvm")}, "names the encoder 'rvm'; there are random, rsp, pixels"),
        ({"reference": "dino"}, "names the encoder 'dino'"),
        ({"use": ("pixels",)}, "lacks the reference 'rsp'"),
        ({"further": {"rsp": TIMM}}, r"further\.rsp: encoders\.known has an encoder of this name"),
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, object], message: str) -> None:
    config = EncoderComparisonConfig.model_validate(fields)
    with pytest.raises(ConfigurationError, match=message):
        config.compared(KNOWN)


def test_what_has_learned_nothing_is_a_floor() -> None:
    assert is_untrained(TIMM) and is_untrained(PixelEncoderConfig()) and is_untrained(RandomEncoderConfig())
    assert not is_untrained(KNOWN.known["rsp"])
    assert not is_untrained(TIMM.model_copy(update={"weights": "vit.safetensors"}))
