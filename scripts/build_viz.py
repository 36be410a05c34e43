"""Builds the lineage site into build/viz: static pages that any web server shows.

Kedro-Viz writes absolute paths into the pages; they are made relative to the project, so that a site can be
published without telling whose machine made it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "viz"


def main() -> None:
    """Builds, moves and cleans the site."""
    built = ROOT / "build"
    shutil.rmtree(built, ignore_errors=True)
    command = [sys.executable, "-m", "kedro", "viz", "build", "--include-previews"]
    subprocess.run(command, cwd=ROOT, check=True)
    moved = ROOT / ".viz-site"
    shutil.rmtree(moved, ignore_errors=True)
    built.rename(moved)
    SITE.parent.mkdir()
    moved.rename(SITE)
    _remove_machine_paths(SITE / "api")
    print(f"Built {SITE}. Look at it: python -m http.server --directory {SITE.relative_to(ROOT)} 4142")


def _remove_machine_paths(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_text(path.read_text().replace(f"{ROOT.as_posix()}/", ""))


if __name__ == "__main__":
    main()
