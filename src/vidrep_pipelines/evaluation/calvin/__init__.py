"""CALVIN's long-horizon evaluation (Mees et al. 2022, arXiv 2112.03227).

- ``tasks``: the 34 tasks, whose data are in ``tasks.json``; ``sequences``: which are done one after another;
  ``initial_scene``: where everything stands at first; ``oracle``: when a task is done.
- ``world``: what a simulator must offer, and the environment about it. ``simulator``: the benchmark's own;
  ``miniature`` (with ``miniature_objects``, ``miniature_info``, ``miniature_pictures``): a small one that
  needs nothing, and ``miniature_expert``, which can do its tasks.
- ``worlds``: which of them a user chooses; ``contenders``: which policies, and which floors beside them.
- ``long_horizon``: the protocol; ``evaluation_job``: as work that is sharded and resumed; ``scores``: tables;
  ``recording_job``: a few sequences once more, filmed and kept.
- ``check``: is the simulator what it should be, before a long run? ``recordings``: actions to replay.
"""
