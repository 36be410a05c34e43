"""Numbers of papers that the report puts beside ours."""

from vidrep_pipelines.reporting.report.records import PublishedNumber

_KINETICS = "ViT-S/16, 400 epochs on Kinetics-400"
_SECONDARY = "the table of ToBo's paper, which follows RSP's protocol (docs/rsp.md)"
_LABEL_PROPAGATION = {
    "RSP": (60.1, 57.4, 62.8, 33.8, 44.6, 73.4),
    "SiamMAE": (58.1, 56.6, 59.6, 33.3, 44.7, 73.0),
    "MAE": (53.5, 50.4, 56.7, 32.5, 43.0, 71.3),
}
_MEASURES = (
    ("davis.summary", "J&F-Mean"),
    ("davis.summary", "J-Mean"),
    ("davis.summary", "F-Mean"),
    ("vip.summary", "mIoU"),
    ("jhmdb.summary", "PCK@0.1"),
    ("jhmdb.summary", "PCK@0.2"),
)

PUBLISHED_NUMBERS = (
    *(
        PublishedNumber(dataset, measure, system, value, _KINETICS, _SECONDARY)
        for system, values in _LABEL_PROPAGATION.items()
        for (dataset, measure), value in zip(_MEASURES, values, strict=True)
    ),
    PublishedNumber(
        "calvin.calvin_lengths", "", "VPP", 4.33, "CALVIN ABC to D", "arXiv 2412.14803 (docs/vpp.md)"
    ),
)
"""None of them was measured here."""


def published_numbers(dataset: str, measure: str) -> tuple[PublishedNumber, ...]:
    """The numbers of papers for a measure of one of our tables.

    Args:
        dataset: Name of the table in the catalog.
        measure: The measure; empty where the table has only one.
    """
    return tuple(
        number for number in PUBLISHED_NUMBERS if (number.dataset, number.measure) == (dataset, measure)
    )
