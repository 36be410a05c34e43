"""Parameters of a training run of VQ-VAE that are not the model's own."""

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.models.vqvae.config import PresetName


class VqvaeRunConfig(FrozenConfig):
    """Which configuration is trained, from what, and where it is kept."""

    folder: str = Field("vqvae", pattern=r"^[A-Za-z0-9_-]+$")
    """Folder of the run below ``folders.models`` and ``folders.reporting``."""

    preset: PresetName | None = None
    """One of the published configurations: it sets the decoder, the perceptual loss and the frames of a
    sample, see :mod:`vidrep_pipelines.models.vqvae.presets`; sizes stay. None: the parameters as they are."""

    statistics: bool = False
    """Standardize pixels by the statistics of the frame store's training split, in place of ``data.mean`` and
    ``data.std``."""

    initialize_from: UserPath | None = None
    """A checkpoint in the original layout to start from."""
