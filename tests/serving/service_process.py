"""Started by tests with a port and seconds: a service in a process of its own.

Its policy takes so many seconds for a plan, and says on a line of its own when it begins one.
"""

import logging
import sys
import time
from collections.abc import Sequence

from tests.helpers.rollouts import Noisy
from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.rollouts.protocol import PlanRequest
from vidrep_pipelines.serving.config import ServingConfig
from vidrep_pipelines.serving.server import serve_policy

_log = logging.getLogger(__name__)


class Deliberate(Noisy):
    """Takes its time."""

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        _log.info("planning")
        time.sleep(float(sys.argv[2]))
        return super().plan(requests)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    config = ServingConfig.model_validate({"port": int(sys.argv[1]), "vla_eval": {"execute_steps": 4}})
    serve_policy(Deliberate(), "deliberate", config)
    _log.info("the run goes on")
