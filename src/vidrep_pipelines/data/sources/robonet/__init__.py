"""RoboNet as published: one HDF5 file per trajectory, all in one flat folder.

Source: Dasari et al., "RoboNet: Large-Scale Multi-Robot Learning" (arXiv 1910.11215).

Where to look:
    config.py      the parameters.
    header.py      what a file says about itself, without reading a picture; one row of the metadata table.
    trajectory.py  a file as an episode of a frame store: pictures from either encoding, states and actions.
    requests.py    which files there are, and which of their trajectories are prepared.
"""
