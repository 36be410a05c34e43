"""Measured comparisons with the published implementations; run them with ``make bench``."""
