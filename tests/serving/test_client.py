import math
import urllib.error
from collections.abc import Sequence

import numpy as np
import pytest

from tests.helpers.serving import PICTURE, listening
from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.rollouts.protocol import PlanRequest
from vidrep_pipelines.serving.client import PolicyClient

TOKEN = "a-token-of-thirty-two-letters-..."


class Counting:
    """Plans 10 n, 10 n + 1, 10 n + 2, 10 n + 3 at its n-th call, from 0."""

    chunk_length = 4

    def __init__(self) -> None:
        self.requests: list[PlanRequest] = []

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        self.requests += requests
        return 10.0 * (len(self.requests) - 1) + np.arange(4.0)[None, :, None]


def test_chunks_that_overlap_are_blended() -> None:
    with listening(Counting()) as running:
        client = PolicyClient(running.address, rate=2, blend=math.log(3))
        assert client.act(0.0) is None
        chunk = client.plan({"front": PICTURE}, "go", time_stamp=100.0)
        np.testing.assert_array_equal(chunk, [[0], [1], [2], [3]])
        assert [client.act(100.0 + step / 2) for step in range(3)] == [[0], [1], [2]]
        client.plan({"front": PICTURE}, "go", time_stamp=101.0)
        # Weights 1 of the older chunk and 1/3 of the newer one.
        np.testing.assert_allclose(client.act(101.0), [(2 + 10 / 3) / (4 / 3)])
        np.testing.assert_allclose(client.act(101.6), [(3 + 11 / 3) / (4 / 3)])
        np.testing.assert_array_equal(client.act(102.0), [12])
        assert client.act(103.0) is None
        client.plan({"front": PICTURE}, "go", time_stamp=104.0)
        assert client.act(103.0) is None and client.act(104.0) is not None
        client.reset()
        assert client.act(104.0) is None


@pytest.mark.parametrize(("blend", "action"), [(0.0, 6.0), (-100.0, 10.0), (100.0, 2.0), (-1e6, 10.0)])
def test_the_mean_the_newest_or_the_oldest(blend: float, action: float) -> None:
    with listening(Counting()) as running:
        client = PolicyClient(running.address, rate=2, blend=blend)
        client.plan({"front": PICTURE}, "go", time_stamp=100.0)
        client.plan({"front": PICTURE}, "go", time_stamp=101.0)
        np.testing.assert_allclose(client.act(101.0), [action])


def test_everything_arrives() -> None:
    policy = Counting()
    with listening(policy, token=TOKEN) as running:
        client = PolicyClient(running.address, rate=2, token=TOKEN)
        turned = PICTURE[:, ::-1]
        client.plan({"front": PICTURE, "side": turned}, "go", np.arange(3), 5.0, episode="first", step=2)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            PolicyClient(running.address, rate=2).plan({"front": PICTURE}, "go")
    [request] = policy.requests
    np.testing.assert_array_equal(request.observation.pictures["front"], PICTURE)
    np.testing.assert_array_equal(request.observation.pictures["side"], turned)
    np.testing.assert_array_equal(request.observation.state, [0, 1, 2])
    assert (request.instruction, request.episode, request.step) == ("go", "first", 2)
