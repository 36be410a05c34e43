"""Types that are written all over: small tuples of numbers."""

Pair = tuple[float, float]
Triple = tuple[float, float, float]
