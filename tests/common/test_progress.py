import logging
import sys
import time

import pytest

from vidrep_pipelines.common.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_log_lines_now_and_then(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), Progress(100, "resize", "clip", initial=20) as bar:
        bar.advance()
        clock[0] += 10
        bar.advance(9)
        assert caplog.messages == []
        clock[0] += 10
        bar.advance(30, note="2 failed")
        bar.advance()
    assert caplog.messages == ["resize: 60/100 clips, 2.00/s, 20 s left, 2 failed"]


def test_nothing_done_yet_means_unknown_time_left(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), Progress(5, "probe") as bar:
        clock[0] += 60
        bar.advance(0)
    assert caplog.messages == ["probe: 0/5 items, 0.00/s, inf s left"]


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress(3, "resize") as bar:
        bar.advance(3, note="loss 0.5")
    shown = capsys.readouterr().err
    assert "resize" in shown
    assert "3/3" in shown
