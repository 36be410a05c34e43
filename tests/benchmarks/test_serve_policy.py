"""The load test: eight clients at once, and others that behave badly meanwhile."""

import json
import threading

import pytest

from tests.helpers.serving import asked, get, post

from benchmarks.serve_policy import load_service, service_process  # isort: skip

BAD = {
    "malformed": (b"{", 422),
    "without a picture": (json.dumps(asked(pictures={})).encode(), 422),
    "oversized": (b" " * 17_000_000, 413),
}


@pytest.mark.slow
def test_eight_clients_at_once_get_all_their_plans_whatever_others_send() -> None:
    ended, statuses = threading.Event(), dict[str, set[int]]()

    def disturb(address: str) -> None:
        while not ended.is_set():
            for name, (body, _) in BAD.items():
                statuses.setdefault(name, set()).add(post(address, body)[0])

    with service_process(8) as address:
        other = threading.Thread(target=disturb, args=(address,))
        other.start()
        load = load_service(address, clients=8, seconds=5)
        ended.set()
        other.join(60)
        metrics = get(address, "/metrics")[1]
    assert load.errors == [] and len(load.seconds) >= 16
    assert statuses == {name: {status} for name, (_, status) in BAD.items()}
    assert load.milliseconds(0.5) <= load.milliseconds(0.99) < 30_000
    assert f'vidrep_requests_total{{protocol="http",status="200"}} {float(len(load.seconds))}' in metrics
    batches = {
        line.partition(" ")[0]: float(line.rpartition(" ")[2])
        for line in metrics.splitlines()
        if line.startswith("vidrep_batch_requests_")
    }
    assert batches["vidrep_batch_requests_sum"] > 2 * batches["vidrep_batch_requests_count"]
