"""The page of benchmarks is made from what is kept of them."""

import json

from benchmarks.run import BENCHMARKS
from scripts.how_fast import LESS_IS_BETTER, PAGE, RESULTS, SECTIONS, page


def test_page_is_current() -> None:
    assert PAGE.read_text() == page(json.loads(RESULTS.read_text())), "make docs"


def test_every_benchmark_has_one_row() -> None:
    rows = [name for section in SECTIONS.values() for name in section]
    assert sorted(rows) == sorted(name for names in BENCHMARKS.values() for name in names)
    assert set(rows) >= LESS_IS_BETTER


def test_what_is_turned_round_is_what_says_so() -> None:
    turned = {
        name
        for name, result in json.loads(RESULTS.read_text()).items()
        if "so less is better" in result["how"] or "ours over the reference" in result["how"]
    }
    assert turned == LESS_IS_BETTER


def test_rows_reasons_and_descriptions() -> None:
    ssim = {"ratio": 100.0, "ours": 7.19, "reference": 719.0, "unit": "ms", "how": "SSIM"}
    ssim |= {"peer": "OpenCV 5", "peer_ratio": 0.5, "peer_how": "its blur", "reason": "it is compiled"}
    memory = {"ratio": 0.1, "ours": 11.0, "reference": 110.0, "unit": "MiB", "how": "memory"}
    text = page({"ssim": ssim, "propagation_memory": memory})
    assert "| SSIM, 64 pixels (`ssim`) | 7.19 ms | 100 | 0.50 (OpenCV 5) |" in text
    assert "- `ssim`, behind OpenCV 5: it is compiled." in text
    assert "- `ssim`: SSIM. Peer: OpenCV 5, its blur." in text
    assert "| its memory (`propagation_memory`) | 11 MiB | 10 | - |" in text
    assert "(`davis_jf`) | not measured yet | | |" in text
