"""What a representation is good for, measured on other tasks; what a reconstruction is worth."""

from vidrep_pipelines.pipelines.downstream_eval.calvin_pipeline import (
    create_calvin_baselines_pipeline,
    create_calvin_check_pipeline,
    create_calvin_pipeline,
)
from vidrep_pipelines.pipelines.downstream_eval.compare_encoders_pipeline import (
    create_encoder_comparison_pipeline,
)
from vidrep_pipelines.pipelines.downstream_eval.encoder_evaluation_pipeline import SYSTEMS
from vidrep_pipelines.pipelines.downstream_eval.label_propagation_pipeline import (
    create_davis_evaluation_pipeline,
    create_jhmdb_evaluation_pipeline,
    create_vip_evaluation_pipeline,
)
from vidrep_pipelines.pipelines.downstream_eval.occupancy_acting_pipeline import (
    create_occupancy_acting_pipeline,
)
from vidrep_pipelines.pipelines.downstream_eval.occupancy_chains_pipeline import (
    create_occupancy_chains_pipeline,
)
from vidrep_pipelines.pipelines.downstream_eval.occupancy_pipeline import (
    create_occupancy_comparison_pipeline,
    create_occupancy_pipeline,
    create_released_occupancy_pipeline,
)
from vidrep_pipelines.pipelines.downstream_eval.open_loop_pipeline import create_open_loop_pipeline
from vidrep_pipelines.pipelines.downstream_eval.phases_pipeline import (
    create_given_phases_pipeline,
    create_phases_pipeline,
)
from vidrep_pipelines.pipelines.downstream_eval.points_pipeline import create_points_evaluation_pipeline
from vidrep_pipelines.pipelines.downstream_eval.probe_pipeline import create_probe_evaluation_pipeline
from vidrep_pipelines.pipelines.downstream_eval.rate_distortion_pipeline import (
    create_rate_distortion_pipeline,
)
from vidrep_pipelines.pipelines.downstream_eval.reconstruction_pipeline import (
    create_comparison_pipeline,
    create_original_reconstruction_pipeline,
    create_vqvae_reconstruction_pipeline,
)
from vidrep_pipelines.pipelines.downstream_eval.robot_pipeline import create_robot_evaluation_pipeline
from vidrep_pipelines.pipelines.downstream_eval.rollout_pipeline import create_rollout_pipeline
from vidrep_pipelines.pipelines.downstream_eval.video_prediction_pipeline import (
    create_predict_video_pipeline,
    create_video_evaluation_pipeline,
)
from vidrep_pipelines.pipelines.downstream_eval.vpp_ablation_pipeline import create_vpp_ablation_pipeline

__all__ = [
    "SYSTEMS",
    "create_calvin_baselines_pipeline",
    "create_calvin_check_pipeline",
    "create_calvin_pipeline",
    "create_comparison_pipeline",
    "create_davis_evaluation_pipeline",
    "create_encoder_comparison_pipeline",
    "create_given_phases_pipeline",
    "create_jhmdb_evaluation_pipeline",
    "create_occupancy_acting_pipeline",
    "create_occupancy_chains_pipeline",
    "create_occupancy_comparison_pipeline",
    "create_occupancy_pipeline",
    "create_open_loop_pipeline",
    "create_original_reconstruction_pipeline",
    "create_phases_pipeline",
    "create_points_evaluation_pipeline",
    "create_predict_video_pipeline",
    "create_probe_evaluation_pipeline",
    "create_rate_distortion_pipeline",
    "create_released_occupancy_pipeline",
    "create_robot_evaluation_pipeline",
    "create_rollout_pipeline",
    "create_video_evaluation_pipeline",
    "create_vip_evaluation_pipeline",
    "create_vpp_ablation_pipeline",
    "create_vqvae_reconstruction_pipeline",
]
