"""What single precision itself loses in a network, where that is more than a README permits.

The recordings were made in single precision. In a group norm whose groups hold a single number, x minus its
mean is nothing but rounding, which is then divided by the root of epsilon: 300 to 1000 times what rounding is
elsewhere. A UNet with 32 channels whose deepest level is one pixel wide has such layers, and then two single
precision computations of one and the same network differ by more than the stated tolerance, on one machine.

So the loss is measured: the same values computed here in double precision and, by two orders of summation, in
single precision. Only where they lie further apart than what is stated does more than that count as equal. A
wrong formula is wrong in all three computations alike, so it cannot widen anything.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from tests.parity.precision import SPREAD, tolerance

Computed = Mapping[str, Tensor]

_SINGLE = Tensor.float


def losses_to_rounding(compute: Callable[[], Computed]) -> dict[str, float]:
    """The largest difference between single and double precision, for every value that is computed.

    Args:
        compute: Builds all that it needs at the default precision, and gives the same values each time.
    """
    with _computing_in(torch.float64, Tensor.double):
        exact = compute()
    losses = dict.fromkeys(exact, 0.0)
    for enabled in (True, False):
        with _computing_in(torch.float32, _SINGLE), torch.backends.mkldnn.flags(enabled=enabled):
            for name, value in compute().items():
                losses[name] = max(losses[name], float((value.double() - exact[name].double()).abs().max()))
    return losses


@contextmanager
def _computing_in(dtype: torch.dtype, to_float: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Like ``precision.computing_in``, also inside of it."""
    before = torch.get_default_dtype()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "float", to_float)
        torch.set_default_dtype(dtype)
        try:
            yield
        finally:
            torch.set_default_dtype(before)


def permitted(stated: float, lost: float, negligible: float | None = None) -> float:
    """How far a value may be from a recorded one.

    Args:
        stated: What the README says, in the value's units.
        lost: What :func:`losses_to_rounding` measured of it.
        negligible: Losses up to this are within what the README says. None: up to all of it.
    """
    return tolerance(stated) + (SPREAD * lost if lost > (negligible or stated) else 0.0)
