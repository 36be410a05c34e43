"""Long videos with a label per frame, in every layout that CARL's data sets come in (arXiv 2203.14957).

Where to look:
    config.py             the parameters.
    video.py              a video and its labels, as all sources list them.
    tfrecord.py           TFRecord files and their checksums; ``sequence_example.py`` what a record holds.
    pouring.py            Pouring: TFRecord files of JPEG frames.
    penn_action.py        PennAction: folders of frames, actions as .mat and phases as .npy files.
    finegym.py            FineGym: annotation, element lists, labels; ``event_cut.py`` cuts events out.
    published_index.py    the published pickled lists, read without executing them.
    published_features.py  the published embeddings of FineGym, likewise.
    rendered.py           the sample world, when there is no release.
    shards.py             frames of prepared videos to the shards of a store, by given splits.
"""
