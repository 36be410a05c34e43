"""How close computed values must be to recorded ones, on any processor.

The recordings were made in single precision, and so is what users compute. How far two such computations
of the same network lie apart follows from the order in which a processor's vectors, threads and kernels
add numbers up, not from what the network is: a tolerance that fits one machine fails on another.

So every recorded network is computed twice here.

* In double precision the rounding of this machine is some 1e-9 of what is permitted; what remains is the
  rounding of the recording, which never changes. There the tolerances are those of the fixtures' README.
* In single precision, which is what runs in practice, they are ``SPREAD`` times as wide: both sides are
  rounded, by different processors. Measured over instruction sets (AVX512, AVX2, SSE), oneDNN on and off,
  one and two threads, and images with channels last, the largest difference in terms of a README's
  tolerance was 1.27 (VQ-VAE's reconstructed video), 0.96 (CARL's training loss), 0.62 (CARL's embeddings)
  and 0.17 (RSP); another machine had 2.5 (CARL's training loss). A wrong formula, mask or order shows in
  double precision; here only what breaks single precision itself must show.
"""

from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import pytest
import torch
from torch import Tensor

from tests.parity.discovery import Case, Check

Precision = Literal["double", "single"]

SPREAD = 10.0


def tolerance(stated: float) -> float:
    """What a README permits, at the precision that is being computed in."""
    return stated if torch.get_default_dtype() == torch.float64 else SPREAD * stated


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Builds networks and computes in this precision, also where the code asks for single precision."""
    if precision == "single":
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "float", Tensor.double)  # the models' own islands of float32 under autocast
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(torch.float32)


in_both_precisions = pytest.mark.parametrize("precision", get_args(Precision))
"""Runs a test once per precision."""


def in_their_precisions(
    pairs: Iterable[tuple[Case, Check]], networks: Container[Check]
) -> list[tuple[Case, Check, Precision]]:
    """Checks of networks in both precisions; of data, whose steps are exact or stated, as they are."""
    return [
        (case, check, precision)
        for case, check in pairs
        for precision in (get_args(Precision) if check in networks else ("single",))
    ]
