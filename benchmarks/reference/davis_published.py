"""The published way of scoring masks: whole images, contours dilated by a disc."""

import math

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def published_scores(
    annotations: NDArray[np.uint8], results: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """J and F (objects, T - 2) of label maps (T, H, W): every object of every frame but first and last."""
    objects = int(annotations[0].max())
    indices = range(1, objects + 1)
    frames = range(1, len(annotations) - 1)
    truth = np.stack([annotations == index for index in indices])
    predicted = np.stack([results == index for index in indices])
    region = [[published_region(truth[i, t], predicted[i, t]) for t in frames] for i in range(objects)]
    contour = [[published_contour(truth[i, t], predicted[i, t]) for t in frames] for i in range(objects)]
    return np.array(region).reshape(objects, -1), np.array(contour).reshape(objects, -1)


def published_region(truth: Mask, predicted: Mask) -> float:
    """Intersection over union; 1 when both are empty."""
    overlap = np.sum(truth & predicted)
    union = np.sum(truth | predicted)
    return 1.0 if union == 0 else float(overlap / union)


def published_contour(truth: Mask, predicted: Mask, share: float = 0.008) -> float:
    """F of the contours with a tolerance relative to the diagonal."""
    radius = math.ceil(share * np.linalg.norm(truth.shape))
    true_contour, predicted_contour = published_boundary(truth), published_boundary(predicted)
    near_truth, near_prediction = dilate(true_contour, radius), dilate(predicted_contour, radius)
    true_pixels, predicted_pixels = np.sum(true_contour), np.sum(predicted_contour)
    precision, recall = 1.0, 1.0
    if predicted_pixels > 0:
        precision = float(np.sum(predicted_contour & near_truth) / predicted_pixels)
    if true_pixels > 0:
        recall = float(np.sum(true_contour & near_prediction) / true_pixels)
    if predicted_pixels == 0 and true_pixels > 0:
        recall = 0.0
    if predicted_pixels > 0 and true_pixels == 0:
        precision = 0.0
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def published_boundary(mask: Mask) -> Mask:
    """Pixels unlike their right, lower or lower right neighbor; the last row and column look one way only."""
    right, below, diagonal = (np.zeros_like(mask) for _ in range(3))
    right[:, :-1] = mask[:, 1:]
    below[:-1] = mask[1:]
    diagonal[:-1, :-1] = mask[1:, 1:]
    contour: Mask = (mask ^ right) | (mask ^ below) | (mask ^ diagonal)
    contour[-1] = mask[-1] ^ right[-1]
    contour[:, -1] = mask[:, -1] ^ below[:, -1]
    contour[-1, -1] = False
    return contour


def dilate(contour: Mask, radius: int) -> Mask:
    """The contour widened by a disc: the image moved by each offset of the disc, all put together."""
    height, width = contour.shape
    padded = np.pad(contour, radius)
    grown = np.zeros_like(contour)
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            if down**2 + right**2 <= radius**2:
                top, left = radius + down, radius + right
                grown |= padded[top : top + height, left : left + width]
    return grown
