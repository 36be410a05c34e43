"""A node that serves a trained policy until it is told to end."""

from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.config import ActionSamplingConfig
from vidrep_pipelines.pipelines.ingest.robot_episodes_nodes import RobotEpisodesConfig
from vidrep_pipelines.serving.config import ServingConfig
from vidrep_pipelines.training.config import LaunchConfig


class ServePolicyParameters(ServingConfig):
    """All parameters of the service (``params:serve_policy``)."""

    cameras: tuple[str, ...] | None = None
    """Names that clients give the policy's views, in the order in which it was trained on them. None: those
    of the sample world's tabletop."""

    sampling: ActionSamplingConfig | None = None
    """How actions are sampled. None: as when the policy was measured in its training."""


def serve_trained_policy(
    policy: Checkpoint,
    video_model: Checkpoint,
    codec: Checkpoint,
    parameters: ServePolicyParameters,
    episodes: RobotEpisodesConfig,
    launch: LaunchConfig,
) -> None:
    """Answers requests until Ctrl-C or SIGTERM."""
    from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
    from vidrep_pipelines.common.digest import digest_of
    from vidrep_pipelines.serving.server import serve_policy
    from vidrep_pipelines.training.distributed import choose_device

    maker = VppPolicyMaker(
        policy=policy.directory.absolute(),
        video_model=video_model.directory.absolute(),
        codec=codec.directory.absolute(),
        cameras=parameters.cameras or episodes.tabletop.table.cameras,
        sampling=parameters.sampling,
        device=choose_device(launch).type,
    )
    serve_policy(maker.make(), digest_of(maker.identity), parameters)
