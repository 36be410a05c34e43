import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from vidrep_pipelines.data.video.film import write_film

rng = np.random.default_rng(0)
noise = rng.integers(0, 64, (300, 1100, 3), dtype=np.uint8)
frames = np.stack([noise[shift : shift + 266, 2 * shift : 2 * shift + 960] for shift in range(24)])
frames[:, 50:150, 100:400] = 0
write_film(Path(sys.argv[1]), frames, 12)
"""


def test_equal_frames_give_equal_bytes_whatever_memory_holds(tmp_path: Path) -> None:
    """The C library fills memory that nobody wrote with another byte in each of the processes."""
    films = []
    for number in ("85", "170"):
        path = tmp_path / f"{number}.mp4"
        environment = {**os.environ, "MALLOC_PERTURB_": number}
        subprocess.run([sys.executable, "-c", PROGRAM, str(path)], env=environment, check=True)
        films.append(path.read_bytes())
    assert films[0] == films[1]
