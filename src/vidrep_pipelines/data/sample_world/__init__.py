"""The sample world: video clips with exact ground truth, rendered offline from a seed.

A small pinhole-camera world in the arm's own units. A jointed arm stands on a table and acts on objects, in
front of a real photograph and behind plants, under a hand-held camera and changing light. All of it is
textured quadrilaterals in three dimensions: parallax, occlusion, masks, part labels and keypoints follow from
one and the same projection. The clips are episodes of a controllable environment: actions cause the motion.

Where to look:
    config.py       the parameters.
    clips.py        which clips there are; ``clip_rendering.py`` renders one to a video and a truth file.
    truth.py        the ground truth of a clip and its file.
    environment.py  the controllable mode: ``reset(seed)``, ``step(action)``.
    policy.py       the scripted and the random policy; ``episode.py`` runs one.
    activities/     what the arm does: phases, instruction, reward.
    tabletop.py     several objects in reach; ``instructions.py`` what can be asked for, and what is held out;
                    ``tabletop_expert.py`` does it and knows whether it was done; ``tabletop_stage.py`` the
                    looks and cameras; ``tabletop_episodes.py`` one beginning under every instruction.
    world.py        state and physics; ``arm.py`` the kinematics.
    renderer.py     the picture and its labels, with ``camera``, ``canvas``, ``shadows`` and ``lighting``.
    materials.py    textures, from photographs and procedural; ``*_sprites.py`` what is painted with them.
"""
