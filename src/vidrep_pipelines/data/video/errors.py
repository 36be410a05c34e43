"""What goes wrong with a video file."""

from vidrep_pipelines.common.errors import InputError


class UnreadableVideoError(InputError):
    """A file is no video, or its frames cannot be decoded. The message names the file and the reason."""


class UnindexableVideoError(UnreadableVideoError):
    """A video is readable, but its packets cannot be addressed by byte range; other readers can take it."""


class WrongPictureError(UnreadableVideoError):
    """Decoding from a keyframe gave another picture than decoding from the start does."""
