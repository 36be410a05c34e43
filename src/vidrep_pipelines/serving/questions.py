"""What a service is asked, in whichever protocol: checked against its bounds, or refused with a reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field, ValidationError

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import VidrepError
from vidrep_pipelines.serving.config import ServingBounds
from vidrep_pipelines.serving.encoded_pictures import (
    EncodedPicture,
    PictureError,
    check_picture_size,
    decoded_picture,
)

Finite = Annotated[float, Field(allow_inf_nan=False)]
_MOST_NAME, _MOST_REASONS = 200, 5


class RefusedError(VidrepError):
    """A request that is not answered.

    Args:
        status: HTTP's: 4xx, the request is at fault; 5xx, the service is.
        reason: A sentence for the client.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True, eq=False)
class Question:
    """An observation that wants a plan.

    Attributes:
        pictures: By camera (H, W, 3) uint8.
        state: (S,).
        instruction: What is to be done.
        time_stamp: Of the observation, in the client's clock.
        episode: Name of the attempt.
        step: Control steps of the attempt so far.
    """

    pictures: Mapping[str, Pixels]
    instruction: str
    time_stamp: float
    state: FloatArray = field(default_factory=lambda: np.zeros(0))
    episode: str = ""
    step: int = 0


class PlanMessage(FrozenConfig):
    """The body of ``POST /plan``."""

    model_config = ConfigDict(use_attribute_docstrings=True)  # the texts are those of the service's page

    pictures: dict[str, EncodedPicture]
    """By camera."""

    instruction: str
    """What is to be done."""

    time_stamp: Finite
    """Of the observation, in the client's clock; comes back with the chunk."""

    state: tuple[Finite, ...] = ()
    """Numbers of the robot."""

    episode: str = Field("", max_length=_MOST_NAME)
    """Name of the attempt; equal names and steps draw equal noise."""

    step: int = Field(0, ge=0, lt=2**53)
    """Control steps of the attempt so far."""


def question_of(body: bytes, bounds: ServingBounds) -> Question:
    """What the body of ``POST /plan`` asks.

    Raises:
        RefusedError: It is no such message (422), or exceeds the bounds (413, 422).
    """
    try:
        message = PlanMessage.model_validate_json(body)
    except ValidationError as error:
        raise RefusedError(422, reasons_of(error)) from error
    _check_count(len(message.pictures), bounds)
    pictures = {}
    for camera, encoded in message.pictures.items():
        try:
            pictures[camera] = decoded_picture(encoded, bounds.picture_side)
        except PictureError as error:
            raise RefusedError(error.status, f"The picture of {camera[:_MOST_NAME]!r}: {error}.") from error
    state = np.array(message.state, np.float64)
    question = Question(
        pictures, message.instruction, message.time_stamp, state, message.episode, message.step
    )
    return checked_question(question, bounds)


def checked_question(question: Question, bounds: ServingBounds) -> Question:
    """The question, if it is within the bounds.

    Raises:
        RefusedError: It is not, has no picture, or a number in it is not finite.
    """
    if not question.pictures:
        raise RefusedError(422, "There is no picture. Remedy: send what the policy's cameras see.")
    _check_count(len(question.pictures), bounds)
    for camera, picture in question.pictures.items():
        try:
            check_picture_size(picture.shape[0], picture.shape[1], bounds.picture_side)
        except PictureError as error:
            raise RefusedError(error.status, f"The picture of {camera[:_MOST_NAME]!r}: {error}.") from error
    if len(question.instruction) > bounds.instruction_letters:
        raise RefusedError(
            413, f"The instruction is longer than the {bounds.instruction_letters} letters that are taken."
        )
    if question.state.size > bounds.state_numbers:
        raise RefusedError(
            413, f"The state has {question.state.size} numbers; at most {bounds.state_numbers} are taken."
        )
    if not np.isfinite(question.state).all() or not np.isfinite(question.time_stamp):
        raise RefusedError(422, "A number of the state, or the time stamp, is not finite.")
    return question


def _check_count(pictures: int, bounds: ServingBounds) -> None:
    if pictures > bounds.pictures:
        raise RefusedError(413, f"There are {pictures} pictures; at most {bounds.pictures} are taken.")


def reasons_of(error: ValidationError) -> str:
    """What is wrong with a message, without what was in it."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    reasons = [
        f"{'.'.join(str(part)[:_MOST_NAME] for part in each['loc']) or 'body'}: {each['msg']}"
        for each in found[:_MOST_REASONS]
    ]
    more = f"; and {len(found) - _MOST_REASONS} more" if len(found) > _MOST_REASONS else ""
    return f"{'; '.join(reasons)}{more}."
