"""The table of public pipeline names."""

from kedro.pipeline import Pipeline

from vidrep_pipelines.pipelines import ingest, label_filter, measure_video_io, pretrain, resize


def register_pipelines() -> dict[str, Pipeline]:
    """Builds every pipeline that ``kedro run --pipelines NAME`` knows.

    A public pipeline contains all that it needs from raw video on, so that its name alone is enough on a
    fresh clone. What is already there and unchanged is not done again. Stage names alone are public too.
    """
    stages = {
        "ingest": ingest.create_pipeline(),
        "resize": resize.create_pipeline(),
        "label_filter": label_filter.create_pipeline(),
    }
    clips = sum(stages.values(), Pipeline([]))
    pretrain_rsp = clips + pretrain.create_rsp_pipeline()
    return {
        **stages,
        "ingest_kinetics": ingest.create_kinetics_pipeline(),
        "prepare_clips": clips,
        "pack_clips": clips + resize.create_tar_pipeline(),
        "measure_video_io": stages["ingest"] + measure_video_io.create_pipeline(),
        "pretrain_rsp": pretrain_rsp,
        "export_rsp": pretrain_rsp + pretrain.create_rsp_export_pipeline(),
        "__default__": pretrain_rsp,
    }
