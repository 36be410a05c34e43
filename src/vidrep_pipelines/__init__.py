"""Five published video-representation systems, from raw video to evaluated model, as Kedro pipelines."""

__version__ = "0.1.0"
