"""The documentation as a site: every link leads somewhere, and what is generated holds what there is."""

import importlib.util
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from pydantic import RootModel
from scripts.site import api, lineage, parameters, pipelines
from scripts.site.hooks import SECTIONS, as_page, generated_pages, navigation

from tests.conftest import ROOT
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.datasets.resumable_parts import ResumableParts
from vidrep_pipelines.pipeline_registry import register_pipelines

DOCS = ROOT / "docs"
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
VARIABLES = re.compile(r"\bVIDREP_[A-Z0-9_]*[A-Z0-9]\b")


@cache
def site() -> dict[str, str]:
    """Every page of the site in Markdown, by its place."""
    written = {path.relative_to(DOCS).as_posix(): path.read_text() for path in DOCS.rglob("*.md")}
    return {
        **{name: as_page(text, f"docs/{name}") for name, text in written.items()},
        **{name: make() for name, make in generated_pages().items()},
    }


@cache
def anchors(page: str) -> set[str]:
    """The headings of a page as addresses spell them."""
    text = re.sub(r"^```.*?^```", "", site()[page], flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    plain = (re.sub(r"[`*\\]", "", title).lower() for title in titles)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", title).strip()) for title in plain}


def links(page: str) -> list[str]:
    text = re.sub(r"^```.*?^```", "", site()[page], flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`\n]*`", "", text)
    found = [first or second for first, second in LINK.findall(text)]
    return [link for link in found if not link.startswith(("http://", "https://"))]


def test_every_link_leads_somewhere() -> None:
    dead = []
    for page in site():
        for link in links(page):
            target, _, heading = link.partition("#")
            place = (Path(page).parent / target).as_posix() if target else page
            name = Path(place)
            parts: list[str] = []
            for part in name.parts:
                parts = parts[:-1] if part == ".." and parts else [*parts, part]
            goal = "/".join(parts)
            known = goal in site() or (DOCS / goal).is_file()
            if not known or (heading and heading not in anchors(goal)):
                dead.append(f"{page}: {link}")
    assert dead == []


def test_every_page_stands_in_the_order_once() -> None:
    placed: list[str] = []

    def collect(entry: Any) -> None:
        if isinstance(entry, str):
            placed.append(entry)
        else:
            for inner in entry if isinstance(entry, list) else entry.values():
                collect(inner)

    collect(navigation(list(site())))
    assert sorted(placed) == sorted(site())


@pytest.mark.parametrize("system", ["rsp", "vqvae", "voc", "carl", "vpp", "vpp_policy"])
def test_every_system_has_its_figure(system: str) -> None:
    assert "```mermaid\nflowchart" in site()[f"{system}.md"]


def test_sections_name_the_pages_that_there_are() -> None:
    order = navigation(list(site()))
    assert [next(iter(section)) for section in order][: len(SECTIONS) + 1] == ["Overview", *SECTIONS]
    listed = {name for names in SECTIONS.values() for name in names}
    optional = {"use_a_model.md", "add_a_system.md", "report.md"}
    assert listed - set(site()) <= optional


def test_pages_that_are_not_in_a_section_come_last() -> None:
    order = navigation(["index.md", "rsp.md", "new.md"])
    assert order[-1] == {"More": ["new.md"]} and {"Systems": ["rsp.md"]} in order


def test_links_of_the_repository_lead_into_the_site() -> None:
    readme = (
        "[a](docs/rsp.md#x) [b](CONTRIBUTING.md) ![c](docs/lineage.png) [d](LICENSE) [e](https://kedro.org)"
    )
    assert as_page(readme, "README.md") == (
        "[a](rsp.md#x) [b](contributing.md) ![c](lineage.png) d (`LICENSE`) [e](https://kedro.org)"
    )
    within = "[a](../rsp.md) [b](davis.md#x) [c](../../CHANGELOG.md) [d](../../notebooks/x.ipynb) [e](#here)"
    assert as_page(within, "docs/data_sets/vip.md") == (
        "[a](../rsp.md) [b](davis.md#x) [c](../changes.md) d (`notebooks/x.ipynb`) [e](#here)"
    )
    code = "```python\ncalls[0](x)\n```\n"
    assert as_page(code, "README.md") == code


def test_pictures_of_lineage_show_what_is_handed_over() -> None:
    registered = register_pipelines()
    handed = lineage.handed_over(registered["pretrain_rsp"])
    assert handed["ingest", "resize"] == {"video_index"}
    assert handed["label_filter", "rsp"] == {"clip_table"}
    assert all(f"## {title}\n" in site()["reference/lineage.md"] for title in lineage.SHOWN)
    assert '  ingest -- "video_index" --> resize' in lineage.picture(registered["pretrain_rsp"])


def test_table_of_pipelines_has_them_all() -> None:
    rows = {
        line.split("|")[1].strip(" `"): line
        for line in site()["reference/pipelines.md"].splitlines()
        if line.startswith("| `")
    }
    registered = register_pipelines()
    assert set(rows) == set(registered) - {"__default__"}
    assert "`VIDREP_VIDEOS`" in rows["pretrain_rsp"] and "`rsp_checkpoint`" in rows["pretrain_rsp"]
    assert "`VIDREP_VGG16`" in rows["eval_reconstruction"]
    assert "extra `vpp`" in rows["eval_rollout"] and "`rollout.successes`" in rows["eval_rollout"]
    assert "`rsp.original_checkpoint`" in rows["export_rsp"] and "rsp_checkpoint" not in rows["export_rsp"]
    assert "`davis.sequences`" in rows["ingest_davis"]
    assert "`vqvae.codes`" in rows["latent_extraction_vqvae"]
    assert "`voc.occupancy_comparison`" in rows["eval_occupancy"] and "`clip_table`" in rows["prepare_clips"]
    without = {name for name, pipeline in registered.items() if not pipelines.products(pipeline)}
    assert without == {"serve_policy"}


def test_reference_of_parameters_has_every_block_and_field() -> None:
    text = site()["reference/parameters.md"]
    blocks = parameters.blocks_of_parameters()
    kinds = {inner for each in blocks.values() for kind in each for inner in parameters.reachable(kind)}
    assert all(f"| `{name}` |" in text for name in blocks)
    for kind in kinds:
        section = text.partition(f"\n## {kind.__name__}\n")[2].partition("\n## ")[0]
        assert section, kind
        fields = () if issubclass(kind, RootModel) else kind.model_fields
        assert all(f"| `{field}` |" in section for field in fields), kind
    assert len(re.findall(r"^## (\w+)$", text, re.MULTILINE)) == len({kind.__name__ for kind in kinds})


class Inner(FrozenConfig):
    """An inner one."""

    size: int = 3
    """Pixels."""


class Outer(FrozenConfig):
    """Says ``what``, see :class:`Inner`.

    More.
    """

    inner: Inner = Inner()
    """The inner one."""

    names: tuple[str, ...] | None = None
    """Names, ``a|b``."""


def test_a_class_is_described_by_its_fields() -> None:
    lines = parameters.section(Outer)
    assert lines[0] == "## Outer" and "Says `what`, see `Inner`." in lines[2]
    assert lines[-2] == "| `inner` | [Inner](#inner) | its defaults | The inner one. |"
    assert lines[-1] == "| `names` | list of text or none | none | Names, `a\\|b`. |"
    assert [kind.__name__ for kind in parameters.reachable(Outer)] == ["Outer", "Inner"]


def test_environment_variables_are_all_on_their_page() -> None:
    sources = [
        *ROOT.glob("conf/**/*.yml"),
        *ROOT.glob("src/**/*.py"),
        ROOT / "Makefile",
        ROOT / "tests/conftest.py",
    ]
    read = set(VARIABLES.findall("\n".join(path.read_text() for path in sources)))
    assert set(VARIABLES.findall((DOCS / "environment_variables.md").read_text())) == read


def test_reference_of_the_code_has_every_public_name() -> None:
    text = "\n".join(page for name, page in site().items() if name.startswith("reference/api/"))
    for path in (ROOT / "src").rglob("*.py"):
        names = re.findall(r"^(?:class|def) ([A-Za-z]\w*)", path.read_text(), re.MULTILINE)
        assert all(f"### {name}\n" in text for name in names), path


def test_docstrings_become_lists() -> None:
    lines = ["First ``line`` <b>.", "", "Args:", "    one: Its *meaning*,", "        told at length."]
    lines += ["    two (int): Other.", "", "Raises:", "    ValueError: Never."]
    assert api.docstring("\n".join(lines)) == [
        "First `line` \\<b>.",
        "",
        "",
        "**Args**",
        "",
        "- `one`: Its \\*meaning\\*,",
        "    told at length.",
        "- `two`: Other.",
        "",
        "",
        "**Raises**",
        "",
        "- `ValueError`: Never.",
    ]


def test_long_signatures_have_a_line_for_each_argument() -> None:
    assert api._split('a: dict[str, int], b: str = ",", *, c=(1, 2)') == [
        "a: dict[str, int]",
        'b: str = ","',
        "*",
        "c=(1, 2)",
    ]


DATA_SETS = sorted(path for path in (DOCS / "data_sets").glob("*.md") if path.name != "index.md")


@pytest.mark.parametrize("path", DATA_SETS, ids=lambda path: path.stem)
def test_a_data_set_says_where_it_is_its_licence_and_how_to_check_it(path: Path) -> None:
    text = path.read_text()
    assert re.search(r"where \|", text) and re.search(r"licence \|", text)
    assert re.search(r"^(VIDREP_\w+=\S+ )?kedro run --pipelines ingest_", text, re.MULTILINE)
    assert f"({path.name})" in (DOCS / "data_sets/index.md").read_text()


def module_of(page: str, name: str, folder: Path) -> Any:
    """The first block of Python of a page, imported as a module."""
    code = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)[0]
    (folder / f"{name}.py").write_text(code)
    specification = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_fan_out_runs_in_a_project_of_others(tmp_path: Path) -> None:
    thumbnails = module_of("reuse.md", "thumbnails", tmp_path)
    (entry,) = yaml.safe_load(
        re.findall(r"```yaml\n(# catalog.*?)```", (DOCS / "reuse.md").read_text(), re.DOTALL)[0]
    ).values()
    assert entry["type"] == f"{ResumableParts.__module__}.{ResumableParts.__qualname__}"
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("one", "two"):
        Image.new("RGB", (64, 32)).save(pictures / f"{name}.jpg")
    (pictures / "broken.jpg").write_bytes(b"no picture")
    parts = ResumableParts(filepath=tmp_path / "thumbnails")
    parts.save(thumbnails.plan_thumbnails(str(pictures), 16, {"engine": "serial"}))
    made = parts.load()
    assert made.ids == ["one", "two"] and list(made.failed["id"]) == ["broken"]
    assert thumbnails.count_pixels(made) == 2 * 16 * 8


def test_a_checkpoint_is_ported_as_the_page_says(tmp_path: Path) -> None:
    import torch

    from vidrep_pipelines.models.rsp.checkpoint_io import original_checkpoint
    from vidrep_pipelines.models.rsp.config import RspModelConfig
    from vidrep_pipelines.models.rsp.model import RspModel

    config = RspModelConfig(
        image_size=32, embedding_dimension=64, depth=1, heads=1, decoder_dimension=32, decoder_depth=1,
        decoder_heads=1, latent_variables=4, latent_classes=4,
    )  # fmt: skip
    model = RspModel(config)
    torch.save(original_checkpoint(model.state_dict(), epoch=0), tmp_path / "checkpoint-0.pth")
    ported = module_of("porting_checkpoints.md", "porting", tmp_path).ported(tmp_path / "checkpoint-0.pth")
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in ported.state_dict().items())


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    build = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert build.returncode == 0, build.stderr
    assert (tmp_path / "site/reference/pipelines.html").is_file()
