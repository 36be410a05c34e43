import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import serve_extra  # noqa: F401 - first
from vidrep_pipelines.serving.gate import RateLimit
from vidrep_pipelines.serving.metrics import ServiceMetrics


def test_an_address_may_ask_so_many_times_a_second_and_others_too() -> None:
    now = 100.0
    limit = RateLimit(4, clock=lambda: now)
    assert [limit.wait_seconds("a") for _ in range(4)] == [0] * 4
    assert limit.wait_seconds("a") == 0.25 and limit.wait_seconds("b") == 0
    now += 0.125
    assert limit.wait_seconds("a") == 0.125
    now += 0.125
    assert limit.wait_seconds("a") == 0 and limit.wait_seconds("a") == 0.25
    now += 1000
    assert [limit.wait_seconds("a") > 0 for _ in range(5)] == [False] * 4 + [True]


@given(st.lists(st.floats(0, 2), max_size=60), st.floats(0.1, 20))
def test_no_more_pass_than_the_rate_allows(pauses: list[float], rate: float) -> None:
    now = 0.0
    limit = RateLimit(rate, clock=lambda: now)
    passed = 0
    for pause in pauses:
        now += pause
        passed += limit.wait_seconds("a") == 0
    assert passed <= max(1.0, rate) + now * rate + 1e-6


def test_addresses_are_forgotten_before_they_fill_the_memory() -> None:
    limit = RateLimit(1, clock=lambda: 0.0)
    for number in range(5000):
        assert limit.wait_seconds(str(number)) == 0
    assert limit.wait_seconds("4999") > 0 and limit.wait_seconds("0") == 0


def test_latencies_are_logged_now_and_then(caplog) -> None:  # type: ignore[no-untyped-def]
    now = 0.0
    metrics = ServiceMetrics(lambda: 3, log_seconds=60, clock=lambda: now)
    with caplog.at_level("INFO"):
        for milliseconds in np.arange(1, 101):
            metrics.planned("http", milliseconds / 1000, batch=2)
        assert not caplog.records
        now = 61.0
        metrics.planned("openpi", 0.1, batch=2)
        metrics.log_latencies()
    [record] = caplog.records
    text = record.getMessage()
    assert text.startswith("101 plans in 61 s, 2.0 in a call; latency 51.0 ms at the median, 96.0 at 95 %")
    assert "up to 5 ms: 5, up to 10 ms: 5, up to 20 ms: 10, up to 50 ms: 30, up to 100 ms: 51" in text
    assert "vidrep_waiting_requests 3.0" in metrics.text().decode()
