"""Episodes as tokens of a codebook, with rewards: ``episodes.py`` in memory, ``file.py`` on disk."""
