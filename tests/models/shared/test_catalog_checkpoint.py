import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vidrep_pipelines.common.digest import digest_of_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_file({"w": torch.arange(3.0)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"width": 3}')
    digest = digest_of_file(tmp_path / "model.safetensors")
    (tmp_path / "meta.json").write_text(json.dumps({"system": "rsp", "weights_digest": digest}))
    return tmp_path


def test_the_handle_knows_configuration_origin_and_weights(folder: Path) -> None:
    checkpoint = Checkpoint.checked(folder)
    assert checkpoint == Checkpoint.of(folder)
    assert (checkpoint.config, checkpoint.meta) == ({"width": 3}, {"system": "rsp"})
    assert checkpoint.state_dict()["w"].tolist() == [0, 1, 2]


def test_the_digest_follows_weights_and_configuration(folder: Path) -> None:
    digests = [Checkpoint.of(folder).digest]
    (folder / "config.json").write_text('{"width": 4}')
    digests.append(Checkpoint.of(folder).digest)
    save_file({"w": torch.zeros(3)}, folder / "model.safetensors")
    digests.append(Checkpoint.of(folder).digest)
    assert len(set(digests)) == 3
    assert Checkpoint.of(folder).digest == digests[-1]


def test_damaged_and_missing_weights_are_named(folder: Path) -> None:
    save_file({"w": torch.zeros(3)}, folder / "model.safetensors")
    with pytest.raises(InputError, match=r"model\.safetensors is damaged.*Remedy"):
        Checkpoint.checked(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors is missing.*Remedy"):
        Checkpoint.of(folder)
