from pathlib import Path

from benchmarks.frame_reading import link_libraries


def test_the_libraries_of_the_wheel_get_their_usual_names(tmp_path: Path) -> None:
    names = link_libraries(tmp_path)
    assert any(name.startswith("libavcodec.so.") for name in names)
    for name in names:
        assert (tmp_path / name).resolve().is_file()
        assert name.split(".so.")[1].isdigit()
