"""Gaits for the DeepMind Control Suite: joints that swing in a fixed rhythm, whatever the state."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import ConfigurationError


@dataclass(frozen=True)
class Gait:
    """Actuator a does ``offset_a + amplitude_a sin(2 pi frequency t + phase_a)``, cut to -1..1.

    Attributes:
        frequency: Hertz.
        amplitude: (A,) of the swing.
        phase: (A,) radians.
        offset: (A,) middle of the swing.
    """

    frequency: float
    amplitude: tuple[float, ...]
    phase: tuple[float, ...]
    offset: tuple[float, ...]

    def action(self, seconds: float) -> NDArray[np.float64]:
        """The action (A,) in -1..1 at a time after the start."""
        angle = 2 * np.pi * self.frequency * seconds + np.array(self.phase)
        swing: NDArray[np.float64] = np.array(self.offset) + np.array(self.amplitude) * np.sin(angle)
        return swing.clip(-1, 1)


_GAITS = {
    "cheetah": Gait(
        frequency=2.69,
        amplitude=(1.28, 0.625, 0.869, 0.313, -0.357, 1.265),
        phase=(0.014, 0.343, 0.897, 1.448, 0.65, 2.214),
        offset=(0.295, -0.482, -0.256, -0.633, 0.173, 0.372),
    ),
    "walker": Gait(
        frequency=1.78,
        amplitude=(1.062, 1.132, 0.756, 1.014, 1.211, 0.449),
        phase=(-0.128, -0.693, 0.975, -1.304, 0.534, 0.425),
        offset=(0.296, 0.042, 0.516, 0.123, 0.655, -0.053),
    ),
}
"""Found by a cross-entropy search for a high return in cheetah-run and walker-walk. The cheetah runs, and
sometimes tips over; the walker, which cannot balance without looking, falls and moves on half lying."""


def gait_of(domain: str) -> Gait:
    """The gait of a domain.

    Raises:
        ConfigurationError: There is none.
    """
    if domain not in _GAITS:
        raise ConfigurationError(
            f"dmc.control.behaviors: there is no scripted policy for {domain}, only for "
            f"{', '.join(sorted(_GAITS))}. Remedy: the policy 'smooth' or 'trained'."
        )
    return _GAITS[domain]
