"""The graph of the masked autoencoder; what it keeps comes from the factories in conf/base/catalog.yml."""

from kedro.pipeline import Node, Pipeline

from tests.architecture.mae_system.mae_nodes import plan_mae
from vidrep_pipelines.pipelines.pretrain import shared_nodes


def create_mae_pipeline() -> Pipeline:
    """Plans and runs the training, publishes the checkpoint, draws the curves."""
    plan = ["clip_table", "resized_videos", "params:mae", "params:launch", "params:folders"]
    train = ["training_spec", "params:tracking"]
    return Pipeline(
        [
            Node(plan_mae, plan, "training_spec", name="plan"),
            Node(shared_nodes.train, train, ["checkpoint", "train_log", "train_metrics"], name="train"),
            Node(shared_nodes.paint_curves, "train_log", "loss_curves", name="draw_curves"),
        ],
        namespace="mae",
        inputs={"clip_table", "resized_videos"},
        outputs={"checkpoint": "mae_checkpoint"},
        parameters={"params:mae", "params:launch", "params:folders", "params:tracking"},
    )
