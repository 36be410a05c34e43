"""The published preparation of a clip: one ffmpeg process with default options, sound encoded again, too."""

import resource
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path


def ffmpeg_is_installed() -> bool:
    return shutil.which("ffmpeg") is not None


def resize_published(
    source: Path, destination: Path, short_side: int = 256, options: Mapping[str, str] | None = None
) -> None:
    """Scales the short side; the other one keeps the aspect ratio and is cut to an even number.

    Args:
        source: The clip.
        destination: The scaled one.
        short_side: Its pixels.
        options: Of the encoder; with any, sound is left out and one thread is used.
    """
    other = f"trunc({short_side}*max(iw,ih)/min(iw,ih)/2)*2"
    size = f"'if(gt(iw,ih),{other},{short_side})':'if(gt(iw,ih),{short_side},{other})'"
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", str(source), "-vf", f"scale={size}"]
    if options is not None:
        command += ["-an", "-threads", "1", "-c:v", "libx264"]
        command += [text for name, value in options.items() for text in (f"-{name}", value)]
    subprocess.run([*command, str(destination)], check=True)


def cpu_seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
