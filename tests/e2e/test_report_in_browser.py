"""The report in a real browser, as wide as a desk's screen and as a phone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.browser import CHROMIUM, Tab, browser_tab
from tests.reporting.report.test_page import small_report
from vidrep_pipelines.data.video.film import write_film
from vidrep_pipelines.reporting.report.page import render_page

pytest.importorskip("websockets")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")]

CONTRASTS = """(() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const light = text => channels(text).slice(0, 3).map(value => value / 255)
    .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
  const paper = element => {
    for (let each = element; each; each = each.parentElement) {
      const color = getComputedStyle(each).backgroundColor;
      if (channels(color)[3] !== 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const told = [...document.body.querySelectorAll('*')].filter(
    each => !each.closest('video') &&  // what is in there is for browsers that play no films
      [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()));
  return told.map(each => {
    const [one, other] = [light(getComputedStyle(each).color), light(paper(each))].sort((a, b) => b - a);
    return [(one + 0.05) / (other + 0.05), each.outerHTML.slice(0, 80)];
  }).filter(([contrast]) => contrast < 4.5);
})()"""
PICTURES = """Promise.all([...document.images].map(async image => {
  image.loading = 'eager';
  await image.decode();
  return image.naturalWidth;
}))"""
FILM = """(async () => {
  const film = document.querySelector('video');
  film.muted = true;
  await film.play();
  while (film.currentTime === 0) await new Promise(done => setTimeout(done, 20));
  return [film.videoWidth, film.videoHeight];
})()"""
FOCUS = """(() => {
  const element = document.activeElement, place = element.getBoundingClientRect();
  return [element.textContent.trim() || element.tagName, place.left >= 0 && place.right <= innerWidth];
})()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "data"
    report = small_report(folder)
    (davis,) = report.evaluations
    picture, film = (exhibit.file for exhibit in davis.exhibits)
    assert report.lineage is not None
    for file in (picture, film, report.lineage.file):
        file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (640, 400), "white").save(picture)
    Image.new("RGB", (64, 40), "white").save(report.lineage.file)
    noise = np.random.default_rng(0).integers(0, 255, (24, 48, 64, 3), np.uint8)
    write_film(film, noise, 12)
    place = folder / "08_reporting" / "report.html"
    place.write_text(render_page(report, place))
    return place


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser_tab(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_page_is_readable_at_every_width(tab: Tab, page: Path, width: int, scheme: str) -> None:
    tab.open(page, width, 900, scheme)
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert tab.run(CONTRASTS) == []
    assert all(size > 0 for size in tab.run(PICTURES))
    assert tab.errors == []


def test_films_play(tab: Tab, page: Path) -> None:
    tab.open(page, 1440, 900, "light")
    assert tab.run(FILM) == [64, 48]
    assert tab.errors == []


def test_all_is_reached_by_keyboard(tab: Tab, page: Path) -> None:
    tab.open(page, 390, 844, "light")
    reached = []
    for _ in range(12):
        tab.press("Tab")
        reached.append(tab.run(FOCUS))
    assert reached[0] == ["Skip to the results", True]
    assert ["Comparison", True] in reached and ["davis", True] in reached
