"""The encoder out of a trained RSP."""

from pathlib import Path

import pytest
import torch

from tests.models.rsp.tiny import CONFIG, make_model
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.rsp.checkpoint_io import to_original
from vidrep_pipelines.models.rsp.config import RspDataConfig, RspObjectiveConfig
from vidrep_pipelines.models.rsp.inference import image_encoder
from vidrep_pipelines.models.rsp.task import RspTask


@pytest.mark.parametrize("published", [False, True])
def test_it_computes_what_the_model_does(published: bool) -> None:
    model = make_model().eval()
    state = model.state_dict()
    encoder = image_encoder(CONFIG, to_original(state) if published else state)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(encoder(images), model.encoder(images), rtol=0, atol=1e-5)
    assert not encoder.training


def test_missing_and_unfitting_tensors() -> None:
    state = make_model().state_dict()
    with pytest.raises(InputError, match="lacks 1 tensors of the encoder"):
        image_encoder(CONFIG, {name: value for name, value in state.items() if name != "encoder.norm.bias"})
    with pytest.raises(InputError, match="other sizes than its config"):
        image_encoder(CONFIG.model_copy(update={"embedding_dimension": 64}), state)


def test_task_gives_a_probe_the_encoder_itself(tmp_path: Path) -> None:
    model = make_model()
    task = RspTask(
        clip_table=tmp_path,
        videos=tmp_path,
        packet_store=tmp_path,
        data=RspDataConfig(),
        model=CONFIG,
        objective=RspObjectiveConfig(),
    )
    assert task.image_encoder(model) is model.encoder
