"""Scores of VIP: one confusion matrix of pixels over the whole data set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.evaluation.label_propagation.errors import ResultMismatchError

VIP_CLASSES = (
    "background", "hat", "hair", "sun-glasses", "upper-clothes", "dress", "coat", "socks", "pants", "gloves",
    "scarf", "skirt", "torso-skin", "face", "right-arm", "left-arm", "right-leg", "left-leg", "right-shoe",
    "left-shoe",
)  # fmt: skip


def confusion(
    truth: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    classes: int = len(VIP_CLASSES),
    name: str = "The result",
) -> NDArray[np.int64]:
    """Counts of pixels (classes, classes), rows by annotation, columns by prediction.

    Args:
        truth: (..., H, W); pixels that are not one of the classes do not count.
        predicted: (..., H, W).
        classes: Number of classes, background included.
        name: Names the video or frame in errors.

    Raises:
        ResultMismatchError: Sizes differ, or a predicted value is not a class.
    """
    if truth.shape != predicted.shape:
        raise ResultMismatchError(
            f"{name} has shape {predicted.shape}, its annotation {truth.shape}; resize predictions to the "
            "size of the annotation by nearest neighbor."
        )
    if predicted.size and predicted.max() >= classes:
        raise ResultMismatchError(
            f"{name} has pixels of value {predicted.max()}, but classes end at {classes - 1}; predictions "
            "must hold classes only."
        )
    counted = truth < classes
    pairs = truth[counted].astype(np.intp) * classes + predicted[counted]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


@dataclass(frozen=True)
class SegmentationScore:
    """What a confusion matrix says; every value in [0, 1]."""

    iou: NDArray[np.float64]
    """(..., classes): intersection over union, NaN for a class in neither annotation nor prediction."""
    mean_iou: NDArray[np.float64]
    """Over the classes that are somewhere, background included."""
    mean_accuracy: NDArray[np.float64]
    """Mean over annotated classes of the share of their pixels that were found."""
    overall_accuracy: NDArray[np.float64]
    """Share of pixels that are right."""
    frequency_weighted_iou: NDArray[np.float64]
    """Intersection over union weighted by the classes' share of annotated pixels."""


def segmentation_score(counts: NDArray[np.integer] | NDArray[np.float64]) -> SegmentationScore:
    """Scores from confusion matrices (..., classes, classes), rows by annotation; leading axes stay."""
    right = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    annotated, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        iou = right / (annotated + predicted - right)
        accuracy = right / annotated
        frequency = annotated / annotated.sum(axis=-1, keepdims=True)
        return SegmentationScore(
            iou=iou,
            mean_iou=np.nanmean(iou, axis=-1),
            mean_accuracy=np.nanmean(accuracy, axis=-1),
            overall_accuracy=right.sum(axis=-1) / annotated.sum(axis=-1),
            frequency_weighted_iou=np.where(frequency > 0, frequency * iou, 0).sum(axis=-1),
        )
