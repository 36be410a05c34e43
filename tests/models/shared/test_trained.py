"""Trained models at use."""

from vidrep_pipelines.models.shared.trained import loaded_once


def test_a_process_loads_a_version_once_for_each_device() -> None:
    loads: list[tuple[str, str]] = []

    def load(source: str, device: str) -> str:
        loads.append((source, device))
        return f"{source} on {device} ({len(loads)})"

    assert loaded_once(load, "weights", "v1", "cpu") == "weights on cpu (1)"
    assert loaded_once(load, "weights", "v1", "cpu") == "weights on cpu (1)"
    assert loaded_once(load, "weights", "v2", "cpu") == "weights on cpu (2)"
    assert loaded_once(load, "weights", "v1", "cuda:0") == "weights on cuda:0 (3)"
    assert len(loads) == 3
