"""What MkDocs does beside turning pages into HTML: the order of the pages, and those made from the code.

Generated pages exist in the site alone, so that none can be out of date.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for place in (ROOT, ROOT / "src"):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from scripts.site import api, parameters, pipelines  # noqa: E402 - MkDocs loads this file from anywhere

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
            "occupancy_chains.md",
            "video_prediction.md",
            "calvin.md",
            "serving.md",
        ),
    ],
    "Data": [
        *("data_sets/index.md", "kinetics.md", "dmc.md", "robot_episodes.md", "robot_clips_layouts.md"),
        *("robot_data_sets.md", "sample_world_tabletop.md", "video_io.md"),
    ],
    "Running": ["scale.md", "fanout.md", "report.md", "kedro_viz.md", "troubleshooting.md"],
    "Reference": ["reference/pipelines.md", "reference/parameters.md"],
    "Developing": [
        "architecture.md",
        "add_a_system.md",
        "reuse.md",
        "contributing.md",
        "changes.md",
        "security.md",
    ],
}
"""Pages in their order. Those that do not exist are passed over; those that are not here come last."""
DATA_SETS, API = "data_sets/", "reference/api/"
HOME = "index.md"
_PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "README.md": HOME,
    "SECURITY.md": "security.md",
    "NOTICE": "notice.md",
    "CITATION.cff": "citation.md",
}
"""Files beside the folder of the pages, and their pages."""
_BESIDE = f"({'|'.join(map(re.escape, _PAGES))})"

Generated = dict[str, Callable[[], str]]


def generated_pages() -> Generated:
    """The pages that are made of other files, by their place in the site."""
    pages: Generated = {
        HOME: lambda: from_repository(ROOT / "README.md"),
        "contributing.md": lambda: from_repository(ROOT / "CONTRIBUTING.md"),
        "changes.md": lambda: from_repository(ROOT / "CHANGELOG.md"),
        "security.md": lambda: from_repository(ROOT / "SECURITY.md"),
        "notice.md": lambda: f"# Notice\n\n```\n{(ROOT / 'NOTICE').read_text(encoding='utf-8')}```\n",
        "citation.md": lambda: (
            f"# Citation\n\n```yaml\n{(ROOT / 'CITATION.cff').read_text(encoding='utf-8')}```\n"
        ),
        "reference/pipelines.md": pipelines.page,
        "reference/parameters.md": parameters.page,
    }
    return pages | {f"{API}{name}.md": text for name, text in api.pages(ROOT / "src").items()}


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


def from_repository(path: Path) -> str:
    """A page beside the folder of the pages, with its links as they are inside of it."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"\]\(docs/", "](", text)
    return re.sub(rf"\]\((?:\.\./)?{_BESIDE}", _renamed, text)


def _renamed(link: re.Match[str]) -> str:
    return "](" + _PAGES[link[1]]


def on_files(files: Any, config: Any) -> Any:
    """Adds the generated pages, and says in which order all stand."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - tests of the pages need no MkDocs

    for place, text in generated_pages().items():
        files.append(File.generated(config, place, content=text()))
    config.nav = navigation([file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links to the files beside the folder of the pages lead to their pages."""
    del page, config, files
    return re.sub(rf"\]\(\.\./{_BESIDE}", _renamed, markdown)
