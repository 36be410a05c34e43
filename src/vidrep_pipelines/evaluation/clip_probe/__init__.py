"""Probes on clip labels: what class is a clip of, from its frozen features?

`config.py` says how, `clip_features.py` keeps what was extracted, `classifiers.py` and `attentive.py` are the
heads, `probing.py` chooses their settings and measures them, `probe_report.py` compares encoders.
"""
