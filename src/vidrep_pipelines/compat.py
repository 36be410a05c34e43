"""The one place that imports torchvision and what imports it, also where its compiled operators are missing.

timm, transformers, diffusers and peft import torchvision, and torchvision refuses to load when its compiled
operators were built for another torch. Nothing in this package uses those operators, so their mere names are
declared and the import works. Use ``from vidrep_pipelines.compat import timm``; the import happens at that
moment, not before.
"""

import sys
from functools import cache
from importlib import import_module
from types import ModuleType

from vidrep_pipelines.common.extras import require_extra

_DECLARATIONS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_EXTRAS = {"diffusers": "vpp", "peft": "vpp", "transformers": "vpp"}
"""Libraries behind the gateway that only some systems need, and the optional dependencies that bring them."""


@cache
def ensure_torchvision() -> bool:
    """Makes ``import torchvision`` work in this process.

    Returns:
        Whether torchvision's compiled operators exist. Its parts in Python work anyway.

    Raises:
        RuntimeError: torchvision fails for another reason than its missing operators.
    """
    try:
        import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        _forget_half_imported("torchvision")
        _declare_operators()
        import_module("torchvision")
        return False
    return True


def _forget_half_imported(package: str) -> None:
    """Removes a package that failed while importing, so that the next import starts afresh."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]


@cache
def _declare_operators() -> object:
    """Declares the operators' names; the cache keeps the library alive, for the names go when it goes.

    Never called where the compiled operators load: declaring them twice is an error.
    """
    library = import_module("torch").library.Library("torchvision", "FRAGMENT")
    for declaration in _DECLARATIONS:
        library.define(declaration)
    return library


def __getattr__(name: str) -> ModuleType:
    """Imports one of the libraries behind the gateway when somebody asks this module for it.

    Raises:
        MissingExtraError: It belongs to optional dependencies that are not installed.
    """
    if name not in {"timm", "torchvision", *_EXTRAS}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    ensure_torchvision()
    return require_extra(name, _EXTRAS[name]) if name in _EXTRAS else import_module(name)
