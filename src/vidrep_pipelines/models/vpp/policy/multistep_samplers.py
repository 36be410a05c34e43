"""Samplers that use what earlier steps found, or that choose the levels between the first and the last."""

from itertools import pairwise
from math import expm1, inf

from numpy.polynomial import Polynomial
from torch import Tensor

from vidrep_pipelines.models.vpp.policy.solver_steps import (
    Denoise,
    exponential_step,
    level_between,
    slope,
    time_between,
)

_ORDER = 4
"""Slopes that the linear multistep method remembers."""


def linear_multistep(denoise: Denoise, noisy: Tensor, levels: list[float]) -> Tensor:
    """A polynomial through up to four slopes is integrated over each step (Adams and Bashforth)."""
    slopes: list[Tensor] = []
    for index, sigma in enumerate(levels[:-1]):
        slopes = [slope(noisy, denoise(noisy, sigma), sigma), *slopes][:_ORDER]
        places = levels[index - len(slopes) + 1 : index + 1][::-1]
        weights = _integrals(places, sigma, levels[index + 1])
        noisy = noisy + sum(weight * one for weight, one in zip(weights, slopes, strict=True))
    return noisy


def _integrals(places: list[float], start: float, stop: float) -> list[float]:
    """Integrals of the polynomials that are 1 at one of the places and 0 at the others."""
    weights = []
    for place in places:
        basis = Polynomial([1.0])
        for other in places:
            if other != place:
                basis = basis * Polynomial([-other, 1.0]) / (place - other)
        integral = basis.integ()
        weights.append(float(integral(stop) - integral(start)))
    return weights


def dpmpp_2m(denoise: Denoise, noisy: Tensor, levels: list[float]) -> Tensor:
    """What is denoised is continued in a straight line from the step before (DPM-Solver++(2M))."""
    before: Tensor | None = None
    before_level = inf
    for sigma, lower in pairwise(levels):
        here = denoise(noisy, sigma)
        guess = here
        if before is not None and lower > 0:
            ratio = time_between(before_level, sigma) / time_between(sigma, lower)
            guess = (1 + 1 / (2 * ratio)) * here - 1 / (2 * ratio) * before
        noisy = exponential_step(noisy, guess, sigma, lower)
        before, before_level = here, sigma
    return noisy


def dpm_fast(denoise: Denoise, noisy: Tensor, levels: list[float]) -> Tensor:
    """DPM-Solver-fast (arXiv 2206.00927, section 3.4): orders up to three for a number of denoiser's calls.

    It calls the denoiser as often as there are levels above zero, at levels of its own choice: evenly in
    ln(sigma) between the first and the last of those. As there, samples stay at the last level above zero.
    """
    calls = len(levels) - 1
    if calls == 1:
        return denoise(noisy, levels[0])
    orders = [3] * (calls // 3) + ([calls % 3] if calls % 3 else [])
    if calls % 3 == 0:
        orders = [*orders[:-1], 2, 1]
    stops = [level_between(levels[0], levels[-2], index / len(orders)) for index in range(len(orders) + 1)]
    for (sigma, lower), order in zip(pairwise(stops), orders, strict=True):
        noisy = _taylor_step(denoise, noisy, sigma, lower, order)
    return noisy


def _taylor_step(denoise: Denoise, noisy: Tensor, sigma: float, lower: float, order: int) -> Tensor:
    """One step of DPM-Solver-1, 2 or 3 (arXiv 2206.00927, algorithms 1 and 2, with their default places)."""

    def moved(level: float, *changes: tuple[float, Tensor]) -> Tensor:
        """The samples at a lower level: along the first slope, and along its changes so far."""
        there = noisy + (level - sigma) * first
        for factor, change in changes:
            there = there - level * factor * change
        return there

    first, h = slope(noisy, denoise(noisy, sigma), sigma), time_between(sigma, lower)
    if order == 1:
        return moved(lower)
    place = level_between(sigma, lower, 1 / order)
    guess = moved(place)
    change = slope(guess, denoise(guess, place), place) - first
    if order == 2:
        return moved(lower, (expm1(h), change))
    further = level_between(sigma, lower, 2 / 3)
    guess = moved(further, (2 * (expm1(2 * h / 3) / (2 * h / 3) - 1), change))
    change = slope(guess, denoise(guess, further), further) - first
    return moved(lower, (1.5 * (expm1(h) / h - 1), change))
