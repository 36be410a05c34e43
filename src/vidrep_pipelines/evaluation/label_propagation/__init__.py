"""Video label propagation: labels of the first frame follow frozen features through the video.

What other packages use, module by module:

- ``config``: ``PropagationConfig``, ``FrameSize``, ``Preset`` and ``preset(task, name)``.
- ``propagate``: ``propagate(features, first_labels, config)``, streaming, and ``memory_bytes``.
- ``label_maps``: first labels on the feature grid, soft labels back to label maps.
- ``label_folder``: index PNGs with the palette of DAVIS, singly and as a sequence.
- ``keypoints``: joints to label maps and back. ``pck``: how well they were tracked.
- ``mask_agreement`` (J and F of frames), ``davis`` (sequences, totals, the toolkit's CSV files).
- ``part_segmentation``: confusion matrix and mIoU of VIP.

Confidence intervals over sequences: ``vidrep_pipelines.evaluation.bootstrap``.
"""
