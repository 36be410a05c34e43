"""Points followed through videos by the similarity of features (TAP-Vid).

`config.py` says how, `queries.py` which points are asked for in which frame, `tracking.py` carries them,
`tap_metrics.py` measures, `track_scoring.py` does so for every video, `track_report.py` compares encoders,
`shown_tracks.py` shows them.
"""
