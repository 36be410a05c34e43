import resource

import pytest

from vidrep_pipelines.common.open_files import OpenFilesCache, TooManyOpenFilesError, files_to_keep_open


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


class _File:
    def __init__(self, name: str) -> None:
        self.name, self.closed = name, False

    def close(self) -> None:
        self.closed = True


def test_files_used_last_stay_open() -> None:
    cache: OpenFilesCache[_File] = OpenFilesCache(most=2, sharers=1)
    first, second = cache.opened("a", _File), cache.opened("b", _File)
    assert cache.opened("a", _File) is first
    cache.opened("c", _File)
    assert list(cache) == ["a", "c"] and second.closed and not first.closed
    cache.close()
    assert cache == {} and first.closed


def test_half_of_the_files_are_given_up_for_one_more() -> None:
    cache: OpenFilesCache[_File] = OpenFilesCache(most=8, sharers=1)

    def open_with_three_descriptors(name: str) -> _File:
        if len(cache) >= 3:
            raise TooManyOpenFilesError
        return _File(name)

    for name in "abcd":
        cache.opened(name, open_with_three_descriptors)
    assert list(cache) == ["c", "d"]


def test_without_a_descriptor_and_without_files_of_its_own_it_says_so() -> None:
    def full(name: str) -> _File:
        raise TooManyOpenFilesError

    with pytest.raises(TooManyOpenFilesError):
        OpenFilesCache[_File](most=8, sharers=1).opened("a", full)
