"""Clips of robots and hands with instructions, as they were published: one source of a frame store per clip.

Where to look:
    clip.py                 what all readers share: instructions, rows of numbers, pictures that are counted.
    annotation.py           an annotation of Video Prediction Policy's layout, and its published latents.
    instances.py            its clips: Bridge, RT-1, xhand, Something-Something and CALVIN, as prepared there.
    xbot.py                 raw recordings of its two-armed robot, HDF5.
    something_something.py  Something-Something v2 as published.
    bridge.py               BridgeData V2 as its raw release.
    rlds.py                 RT-1 and BridgeData V2 as TensorFlow Datasets publishes them.
"""
