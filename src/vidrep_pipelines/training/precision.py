"""Mixed precision."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Precision = Literal["fp32", "bf16", "fp16"]

_AUTOCAST_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """The forward pass runs inside this context; weights stay in float32."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_AUTOCAST_TYPES[precision])


def gradient_scaler(device: torch.device, precision: Precision) -> torch.amp.GradScaler:
    """Dynamic loss scaling for float16 (Micikevicius et al. 2018, arXiv 1710.03740); off otherwise."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")
