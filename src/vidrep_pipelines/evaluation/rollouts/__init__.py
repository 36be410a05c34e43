"""Closed-loop evaluation: a policy acts in an environment, and every episode is a row.

- ``protocol``: what an environment and a policy must offer.
- ``config``: how many steps of a chunk are executed, when pictures are rendered, which seed.
- ``session``: holds a chunk of actions and asks for the next one.
- ``engine``: many episodes in lock step; all chunks that are wanted at one time are planned in one call.
- ``replay``: recorded actions must succeed before a policy is scored.
- ``floors``: policies that know nothing, to be read beside.
- ``agent_world``: the sample world's agent as an environment, its expert and chance.
- ``recording``: attempts kept whole; ``films``: shown to people; ``lerobot_export``: as a
  data set.
- ``open_loop``: what a policy would have done at recorded moments, beside what was done.
- ``tables``: success with intervals, sweeps, and two runs compared episode by episode.
"""
