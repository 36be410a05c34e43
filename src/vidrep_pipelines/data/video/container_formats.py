"""Which container formats count as videos.

FFmpeg opens much else, going by the content and not by the name: playlists and lists of files, which make it
open other files or addresses, and devices. None of that is a video that somebody put into a folder.
"""

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "avi",
    "mpegts",
    "mpeg",
    "mpegvideo",
    "m4v",
    "h261",
    "h263",
    "h264",
    "hevc",
    "vvc",
    "av1",
    "obu",
    "ivf",
    "vc1",
    "mjpeg",
    "flv",
    "asf",
    "ogg",
    "gif",
    "apng",
    "mxf",
    "nut",
    "gxf",
    "dv",
    "rm",
    "wtv",
    "yuv4mpegpipe",
)
"""Names of FFmpeg's demuxers for files that hold pictures and sound themselves."""

OPENING_OPTIONS = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"}
"""What FFmpeg is told when it opens a file: these formats, and nothing outside the file system."""

_LISTS = (
    (b"ffconcat", "a list of files (ffconcat)"),
    (b"#EXTM3U", "a playlist (HLS, M3U)"),
    (b"[playlist]", "a playlist (PLS)"),
    (b"<?xml", "an XML text, as playlists are (DASH)"),
    (b"<MPD", "a playlist (DASH)"),
    (b"<ASX", "a playlist (ASX)"),
    (b"v=0", "a session description (SDP)"),
)


def list_kind(head: bytes) -> str:
    """What a file is that points to others instead of holding a video; empty if it is none.

    Args:
        head: Its first bytes.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((kind for mark, kind in _LISTS if start.startswith(mark.lower())), "")
