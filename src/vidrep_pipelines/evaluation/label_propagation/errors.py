"""What can be wrong with features, labels and results."""

from vidrep_pipelines.common.errors import InputError


class FeatureError(InputError):
    """Features of a frame cannot be compared with those of other frames."""


class LabelImageError(InputError):
    """An annotation or a result is not an image of label indices."""


class ResultMismatchError(InputError):
    """Results do not fit the annotations that they are scored against."""
