"""What a function that makes one item of many says about a product that lacks something."""

from collections.abc import Mapping

Scalar = str | int | float | bool | None


class PartialFacts(dict[str, Scalar]):
    """Facts of an item whose products can be used but lack something, as an archive without a damaged clip.

    The next run makes the item again, so that what was healed meanwhile gets into it.

    Args:
        facts: Facts as any item has them.
        reason: What is lacking, and the remedy; stands in the manifest as the row's ``error``.
    """

    def __init__(self, facts: Mapping[str, Scalar], reason: str) -> None:
        super().__init__(facts)
        self.reason = reason
