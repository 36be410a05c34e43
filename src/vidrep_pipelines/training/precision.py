"""Mixed precision."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Precision = Literal["fp32", "bf16", "fp16"]

_AUTOCAST_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")  # of x86-64 and of Arm


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 by instructions of its own.

    Without them torch emulates bfloat16, several times slower than float32. Before torch 2.11, which first
    tells a CPU's instructions, oneDNN's answer counts, for which AVX-512 is enough.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return True
    if hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in _BFLOAT16_INSTRUCTIONS)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def usable_precision(device: torch.device, wanted: Precision) -> Precision:
    """What to compute in: what is wanted, but float32 where bfloat16 would only be emulated."""
    return "fp32" if wanted == "bf16" and not has_bfloat16(device) else wanted


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """The forward pass runs inside this context; weights stay in float32."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_AUTOCAST_TYPES[precision])


def gradient_scaler(device: torch.device, precision: Precision) -> torch.amp.GradScaler:
    """Dynamic loss scaling for float16 (Micikevicius et al. 2018, arXiv 1710.03740); off otherwise."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")
