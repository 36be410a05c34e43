"""What MkDocs does beside turning pages into HTML: the order of the pages, and those made from the code.

Generated pages exist in the site alone, so that none can be out of date.
"""

import posixpath
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for place in (ROOT, ROOT / "src"):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from scripts.site import api, lineage, parameters, pipelines  # noqa: E402 - MkDocs loads this file from anywhere

SECTIONS: dict[str, list[str]] = {
    "Start": ["start.md", "own_videos.md", "use_a_model.md", "parameters.md", "environment_variables.md"],
    "Systems": [
        *("rsp.md", "vqvae.md", "voc.md", "carl.md", "vpp.md", "vpp_policy.md", "vpp_policy_data.md"),
        *("vpp_policy_ablation.md", "published.md", "porting_checkpoints.md"),
    ],
    "Evaluations": [
        *(
            "label_propagation.md",
            "points.md",
            "probe.md",
            "robots.md",
            "compare_encoders.md",
            "occupancy_chains.md",
            "occupancy_acting.md",
            "video_prediction.md",
            "calvin.md",
            "serving.md",
        ),
    ],
    "Data": [
        *("data_sets/index.md", "kinetics.md", "dmc.md", "robot_episodes.md", "robot_clips_layouts.md"),
        *("robot_data_sets.md", "sample_world_tabletop.md", "video_io.md"),
    ],
    "Running": ["how_fast.md", "scale.md", "fanout.md", "report.md", "kedro_viz.md", "troubleshooting.md"],
    "Reference": ["reference/pipelines.md", "reference/lineage.md", "reference/parameters.md"],
    "Developing": ["architecture.md", "add_a_system.md", "reuse.md", "contributing.md", "changes.md"],
}
"""Pages in their order. Those that do not exist are passed over; those that are not here come last."""
DATA_SETS, API = "data_sets/", "reference/api/"
HOME = "index.md"
_DOCS = "docs/"
_BESIDE = {
    "README.md": HOME,
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "SECURITY.md": "security.md",
}
"""Files of the repository that are pages of the site, too."""
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*|)\)")
_FENCE = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)

Generated = dict[str, Callable[[], str]]


def generated_pages() -> Generated:
    """The pages that are made of other files, by their place in the site."""
    pages: Generated = {
        **{page: partial(_beside, name) for name, page in _BESIDE.items()},
        "reference/lineage.md": lineage.page,
        "reference/pipelines.md": pipelines.page,
        "reference/parameters.md": parameters.page,
    }
    return pages | {f"{API}{name}.md": text for name, text in api.pages(ROOT / "src").items()}


def _beside(name: str) -> str:
    return as_page((ROOT / name).read_text(encoding="utf-8"), name)


def navigation(pages: list[str]) -> list[dict[str, Any]]:
    """The order of all pages of the site, in sections."""
    left = dict.fromkeys(page for page in sorted(pages) if page != HOME)
    order: list[Any] = [{"Overview": HOME}]
    for title, names in SECTIONS.items():
        chosen = [name for name in names if name in left]
        if title == "Data":
            chosen[1:1] = [name for name in left if name.startswith(DATA_SETS) and name not in chosen]
        order.append({title: [left.pop(name) or name for name in chosen]})
        if title == "Reference":
            order[-1][title].append(
                {"Code": [left.pop(name) or name for name in list(left) if name.startswith(API)]}
            )
    return [*order, {"More": list(left)}] if left else order


def as_page(text: str, place: str) -> str:
    """A Markdown file of the repository with its links as they are in the site.

    Links to files that are no pages become their names.

    Args:
        text: The file.
        place: Its path in the repository.
    """
    own = posixpath.dirname(_page_of(place) or "") or "."

    def moved(link: re.Match[str]) -> str:
        mark, words, target, heading = link.groups()
        if not target or ":" in target:
            return link[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(place), target))
        goal = _page_of(path)
        return (
            f"{words} (`{path}`)"
            if goal is None
            else f"{mark}[{words}]({posixpath.relpath(goal, own)}{heading})"
        )

    parts = _FENCE.split(text)
    return "".join(part if number % 2 else _LINK.sub(moved, part) for number, part in enumerate(parts))


def _page_of(path: str) -> str | None:
    """Where a file of the repository is in the site; none if it is not there."""
    return _BESIDE.get(path) or (path.removeprefix(_DOCS) if path.startswith(_DOCS) else None)


def on_files(files: Any, config: Any) -> Any:
    """Adds the generated pages, and says in which order all stand."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - tests of the pages need no MkDocs

    for place, text in generated_pages().items():
        files.append(File.generated(config, place, content=text()))
    config.nav = navigation([file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links to files beside the folder of the pages lead to their pages, or become names."""
    del config, files
    generated = page.file.generated_by is not None
    return markdown if generated else as_page(markdown, f"{_DOCS}{page.file.src_uri}")
