"""Five published video-representation systems, from raw video to evaluated model, as Kedro pipelines."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

    from vidrep_pipelines.adapters.loaded_models import LoadedModel

__version__ = "0.1.0"
__all__ = ["load"]


def load(
    path: "str | PathLike[str]", *, device: str = "cpu", codec: "str | PathLike[str] | None" = None
) -> "LoadedModel":
    """A trained model of any system, ready to encode frames; docs/use_a_model.md has a section on each.

    Nothing in the files is executed, see SECURITY.md.

    Args:
        path: The folder of a checkpoint that a pipeline published (``data/06_models/rsp/checkpoint``), a
            folder that an export wrote (timm's and diffusers' layouts), or an exported file in an original
            layout with the JSON beside it. Or the address of one of these that fsspec knows:
            ``hf://user/model``, ``s3://bucket/folder``; it is fetched whole, once for every call.
        device: Where to compute, such as ``cuda``.
        codec: Folder of the codec of VPP's video model, where it does not lie beside it.

    Returns:
        An object with ``config``, ``meta``, ``system`` and ``encode(frames)``, which takes frames
        (B, T, 3, H, W), uint8 in 0..255 or float in 0..1, and gives ``vectors`` (B, T, D) float32, ``maps``
        (B, T, D, h, w) float32 and ``codes`` (B, T, h, w) int64, where the system has them.

    Raises:
        InputError: There is no model, it is damaged, or it is not one that this project wrote.
        ConfigurationError: It is a model that encodes no frames.
        MissingExtraError: An optional dependency of the system is not installed.
    """
    from vidrep_pipelines.adapters.model_loading import load_any_model  # noqa: PLC0415 (torch takes seconds)

    return load_any_model(path, device=device, codec=codec)
