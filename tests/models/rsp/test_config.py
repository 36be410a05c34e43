import subprocess
import sys

import pytest
from pydantic import ValidationError

from vidrep_pipelines.models.rsp.config import NAMED_SIZES, RspModelConfig, RspObjectiveConfig
from vidrep_pipelines.models.rsp.model import RspModel

MILLIONS = {
    "vit_small_patch16": (59.183, 59.006),
    "vit_base_patch16": (127.938, 127.685),
    "vit_small_patch8": (59.193, None),
    "vit_large_patch16": (349.505, None),
}


@pytest.mark.parametrize("name", MILLIONS)
def test_named_sizes_have_the_published_number_of_parameters(name: str) -> None:
    import torch

    with torch.device("meta"):
        model = RspModel(RspModelConfig.model_validate({"name": name}))
    stored, trained = MILLIONS[name]
    assert sum(value.numel() for value in model.state_dict().values()) / 1e6 == pytest.approx(
        stored, abs=6e-4
    )
    if trained is not None:
        assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(trained, abs=6e-4)


def test_defaults_are_the_default_name() -> None:
    sizes = NAMED_SIZES["vit_small_patch16"]
    fields = {name: RspModelConfig.model_fields[name].default for name in sizes}
    assert fields == dict(sizes)


@pytest.mark.parametrize("name", NAMED_SIZES)
def test_configs_survive_json(name: str) -> None:
    config = RspModelConfig.model_validate({"name": name, "image_size": 64, "depth": 2})
    assert (config.image_size, config.depth) == (64, 2)
    assert RspModelConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "vit_huge"}, "name"),
        ({"image_size": 100}, "image_size=100 is not a multiple of patch_size=16"),
        ({"heads": 5}, "embedding_dimension=384 is not a multiple of heads=5"),
        ({"decoder_heads": 7}, "decoder_heads=7"),
        ({"embedding_dimension": 90, "heads": 2}, "multiple of 4"),
        ({"latent": "normal"}, "latent"),
        ({"stoch": 32}, "stoch"),
    ],
)
def test_impossible_sizes_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RspModelConfig.model_validate(values)


@pytest.mark.parametrize("values", [{"mask_ratio": 0.0}, {"mask_ratio": 1.0}, {"kl_balance": 1.5}])
def test_impossible_objectives_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        RspObjectiveConfig.model_validate(values)


def test_prior_decode_cadence() -> None:
    steps = range(7)
    decoded = {
        every: [step for step in steps if RspObjectiveConfig(prior_decode_every=every).decodes_prior(step)]
        for every in (0, 1, 3)
    }
    assert decoded == {0: [], 1: [*steps], 3: [0, 3, 6]}


def test_importing_the_config_does_not_import_torch() -> None:
    code = "import sys, vidrep_pipelines.models.rsp.config; print('torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "False"
