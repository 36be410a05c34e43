"""The sample world: video clips with exact ground truth, rendered offline from a seed.

A small pinhole-camera world in the arm's own units. A jointed arm stands on a table and acts on objects, in front
of a real photograph and behind plants, under a hand-held camera and changing light. Everything visible is a
textured quadrilateral in three dimensions, so that parallax, occlusion, masks, part labels and keypoints all follow
from the same projection. The clips are episodes of a controllable environment: actions cause the motion.

Where to look:
    config.py       the parameters.
    clips.py        which clips there are, and how one is rendered to a video and a truth file.
    truth.py        the ground truth of a clip and its file.
    environment.py  the controllable mode: ``reset(seed)``, ``step(action)``.
    policy.py       the scripted and the random policy; ``episode.py`` runs one.
    activities.py   what the arm does: phases, instruction, reward.
    world.py        state and physics; ``arm.py`` the kinematics.
    renderer.py     the picture and its labels; ``camera.py``, ``canvas.py``, ``shadows.py``, ``lighting.py`` its parts.
    materials.py    textures, from photographs and procedural; ``*_sprites.py`` what is painted with them.
"""
