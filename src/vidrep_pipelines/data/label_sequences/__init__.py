"""Videos with labels in some frames: masks, joints or parts (DAVIS, JHMDB, VIP, miniatures of them).

Where to look:
    config.py      where the releases are.
    sequence.py    the table of sequences, and handles that read frames and labels.
    inspection.py  whether the files of a sequence can be used, and its facts.
    layout.py      where published releases keep frames, labels and lists.
    result.py      what an evaluation found, as it is exported for a release's own tools.
    release.py     roots and lists of published releases.
    images.py      frames and label maps as files; ``joint_file.py`` joint positions.
"""
