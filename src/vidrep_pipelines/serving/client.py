"""A client of the service: the standard library and NumPy; a robot needs no more than this file.

``plan`` is called as often as it gets done, ``act`` at every control step: it says what all chunks that were
planned say about this moment, blended.
"""

import base64
import json
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class PolicyClient:
    """Asks for chunks of actions and blends those that overlap.

    Weights are exp(-blend i), i = 0 for the oldest chunk, as in Action Chunking with Transformers (2023).

    Args:
        address: Of the service, such as ``http://127.0.0.1:8000``.
        rate: Actions per second.
        blend: 0: the plain mean; above: older chunks count more; below: newer ones.
        token: Of the service, where it has one.
        timeout: Seconds until a request is given up.
    """

    def __init__(
        self, address: str, rate: float, blend: float = 0.01, token: str | None = None, timeout: float = 10
    ) -> None:
        self._url, self._rate, self._blend, self._timeout = f"{address}/plan", rate, blend, timeout
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self.reset()

    def reset(self) -> None:
        """Forgets all chunks: a new episode."""
        self._chunks: dict[float, NDArray[np.float64]] = {}

    def plan(
        self,
        pictures: Mapping[str, NDArray[np.uint8]],
        instruction: str,
        state: Sequence[float] = (),
        time_stamp: float = 0.0,
        episode: str = "",
        step: int = 0,
    ) -> NDArray[np.float64]:
        """Asks for the chunk of an observation, and keeps it.

        Args:
            pictures: By camera (H, W, 3).
            instruction: What is to be done.
            state: Numbers of the robot.
            time_stamp: Seconds at which the observation was made; the chunk's first action is for this time.
            episode: Name of the attempt; equal names and steps draw equal noise.
            step: Control steps of the attempt so far.

        Returns:
            (T, A) actions.

        Raises:
            urllib.error.HTTPError: The service refuses; its body says why.
        """
        asked: dict[str, Any] = {"instruction": instruction, "state": [float(number) for number in state]}
        asked |= {"time_stamp": time_stamp, "episode": episode, "step": step, "pictures": {}}
        for camera, picture in pictures.items():
            data = base64.b64encode(picture.tobytes()).decode()
            size = {"height": picture.shape[0], "width": picture.shape[1]}
            asked["pictures"][camera] = {"format": "raw", "data": data, **size}
        request = urllib.request.Request(self._url, json.dumps(asked).encode(), self._headers)
        with urllib.request.urlopen(request, timeout=self._timeout) as response:
            answer = json.load(response)
        chunk = np.array(answer["actions"], np.float64)
        self._chunks[answer["time_stamp"]] = chunk
        return chunk

    def act(self, now: float) -> NDArray[np.float64] | None:
        """The action (A,) for a moment, blended over all chunks that reach it; none if no chunk does."""
        steps = {stamp: round((now - stamp) * self._rate) for stamp in sorted(self._chunks)}
        self._chunks = {
            stamp: self._chunks[stamp] for stamp in steps if steps[stamp] < len(self._chunks[stamp])
        }
        actions = np.array(
            [chunk[steps[stamp]] for stamp, chunk in self._chunks.items() if steps[stamp] >= 0]
        )
        weights = np.exp(
            -self._blend * (np.arange(len(actions)) - (len(actions) - 1 if self._blend < 0 else 0))
        )
        return np.asarray(weights @ actions / weights.sum()) if len(actions) else None
