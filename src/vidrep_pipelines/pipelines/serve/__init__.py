"""A trained policy at work, for robots and benchmarks."""

from vidrep_pipelines.pipelines.serve.policy_pipeline import create_serve_policy_pipeline

__all__ = ["create_serve_policy_pipeline"]
