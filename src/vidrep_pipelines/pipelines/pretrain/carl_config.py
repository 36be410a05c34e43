"""Parameters of a training run of CARL that are not the model's own."""

from typing import Literal

from pydantic import Field, field_validator

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.models.carl.config import BackboneOrigin
from vidrep_pipelines.models.carl.presets import PresetName, Release, camera_ready_name


class CarlRunConfig(FrozenConfig):
    """Which configuration is trained, from what, and where it is kept."""

    folder: str = Field("carl", pattern=r"^[A-Za-z0-9_-]+$")
    """Folder of the run below ``folders.models`` and ``folders.reporting``."""

    preset: PresetName | None = None
    """A published configuration, of CARL or of a baseline, laid over the parameters: see
    :mod:`vidrep_pipelines.models.carl.presets`. The names of the first release (``simclr...``) are
    known, too. None: the parameters as they are."""

    release: Release = "cvpr2022"
    """Which version of the published configurations: the camera-ready code, or the first release."""

    sizes: Literal["published", "kept"] = "published"
    """With a preset: take everything from it, or only the method, and keep sizes, lengths and rates."""

    splits: tuple[str, ...] = Field(("train",), min_length=1)
    """Parts of the release that are trained on; FineGym has ``additional`` events."""

    backbone_origin: BackboneOrigin = "byol"
    """What the ResNet starts from. Published: ``byol`` by name, ``supervised`` in the first release."""

    backbone_weights: UserPath | None = None
    """File of these weights, in torchvision's or timm's layout for ``supervised``."""

    initialize_from: UserPath | None = None
    """A checkpoint of the whole model in the original layout to start from, in place of
    ``backbone_weights``."""

    @field_validator("preset", mode="before")
    @classmethod
    def _one_name(cls, value: object) -> object:
        return camera_ready_name(value) if isinstance(value, str) else value
