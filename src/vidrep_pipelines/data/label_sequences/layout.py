"""Where the published releases keep their frames, labels and lists."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReleaseLayout:
    """Folders below the root of a release.

    Attributes:
        frames: Folder with a folder of frames for each sequence.
        labels: The same of labels.
        lists: The folder of lists, or the list.
    """

    frames: str
    labels: str
    lists: str


DAVIS = ReleaseLayout("JPEGImages/480p", "Annotations/480p", "ImageSets/2017")
JHMDB = ReleaseLayout("Rename_Images", "joint_positions", "splits")
VIP = ReleaseLayout("Images", "Annotations/Category_ids", "lists/val_videos.txt")
