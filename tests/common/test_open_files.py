import resource

import pytest

from vidrep_pipelines.common.open_files import files_to_keep_open


@pytest.mark.parametrize(
    ("limit", "most", "sharers", "expected"),
    [
        (256, 128, 16, 12),
        (1024, 128, 16, 60),
        (65536, 128, 16, 128),
        (resource.RLIM_INFINITY, 128, 16, 128),
        (64, 128, 16, 4),
        (64, 2, 16, 2),
    ],
)
def test_caches_share_what_the_system_allows(
    monkeypatch: pytest.MonkeyPatch, limit: int, most: int, sharers: int, expected: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert files_to_keep_open(most, sharers) == expected
