"""Which processor instructions the encoder may use, so that equal input gives equal bytes."""

import platform

import numpy as np

_X86 = frozenset({"x86_64", "amd64"})
_AVX2 = frozenset({"AVX2", "X86_V3"})


def reproducible_options() -> dict[str, str]:
    """Options for libx264 that make it a function of its input.

    With AVX-512 its estimate of how frames depend on one another reads memory that nobody wrote, whenever
    there are B-frames: encoding a clip twice gives two files. With AVX2 and with what came before it the
    results are the same everywhere, for a tenth more time.
    """
    if platform.machine().lower() not in _X86:
        return {}
    configuration: dict[str, dict[str, list[str]]] = np.show_config(mode="dicts")  # type: ignore[assignment]
    extensions = configuration["SIMD Extensions"]
    present = {*extensions.get("baseline", ()), *extensions.get("found", ())}
    return {"x264-params": "asm=avx2" if present & _AVX2 else "asm=ssse3"}
