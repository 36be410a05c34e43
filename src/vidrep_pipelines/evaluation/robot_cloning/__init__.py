"""What frozen features are worth to a robot: behavior cloned from a few demonstrations, then tried out.

- ``config``: how many demonstrations, which head, which episodes.
- ``demonstrations``: which episodes of a frame store are learned from.
- ``robot_worlds``: where it is tried out, and what an exact state is there.
- ``cloning_head``: the published heads, from features of the last frames to an action.
- ``head_training``: heads as work per input, task and seed.
- ``cloned_policy``: a head as rollouts ask it.
- ``robot_report``: which epoch is the best, and success with intervals.
"""
