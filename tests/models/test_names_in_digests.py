"""What stands in the identity of every run that users have: it must never change."""

import pytest

from vidrep_pipelines.models.carl.task import CarlTask
from vidrep_pipelines.models.rsp.task import RspTask
from vidrep_pipelines.models.voc.joint.task import JointTask
from vidrep_pipelines.models.voc.task import VocTask
from vidrep_pipelines.models.voc.tokenizers.dino.task import VqkdTask
from vidrep_pipelines.models.voc.tokenizers.musik.task import MusikTask
from vidrep_pipelines.models.voc.tokenizers.vae.task import VaeTask
from vidrep_pipelines.models.vpp.video.task import VideoTask
from vidrep_pipelines.models.vqvae.task import VqvaeTask


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (CarlTask, "carl.task:CarlTask"),
        (JointTask, "voc.joint.task:JointTask"),
        (MusikTask, "voc.tokenizers.musik.task:MusikTask"),
        (RspTask, "rsp.task:RspTask"),
        (VaeTask, "voc.tokenizers.vae.task:VaeTask"),
        (VocTask, "voc.task:VocTask"),
        (VqkdTask, "voc.tokenizers.vqkd.task:VqkdTask"),
        (VideoTask, "vpp.video.task:VideoTask"),
        (VqvaeTask, "vqvae.task:VqvaeTask"),
    ],
)
def test_names_stay(task: type, name: str) -> None:
    assert task.name_in_digests == "vidrep_pipelines" + ".models." + name
