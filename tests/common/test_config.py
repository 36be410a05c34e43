from importlib import import_module
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from pydantic import TypeAdapter, ValidationError

import vidrep_pipelines
from vidrep_pipelines.common.config import FrozenConfig, UserLocation, UserPath, at_home, field_documentation


class Config(FrozenConfig):
    model_size: int = 3
    """How large."""


def test_unknown_keys_and_wrong_types_are_errors() -> None:
    with pytest.raises(ValidationError, match="model_sise"):
        Config.model_validate({"model_sise": 3})
    with pytest.raises(ValidationError, match="model_size"):
        Config.model_validate({"model_size": "large"})


def test_values_never_change() -> None:
    config = Config()
    with pytest.raises(ValidationError, match="frozen"):
        config.model_size = 4  # type: ignore[misc]
    assert config == Config(model_size=3)
    assert hash(config) == hash(Config())


def test_docstrings_describe_fields() -> None:
    assert field_documentation(Config) == {"model_size": "How large."}


def test_docstrings_of_inherited_fields_are_found_and_replaced() -> None:
    class Larger(Config):
        model_size: int = 4
        """How much larger."""

        depth: int = 1
        """How deep,

        in blocks."""

        width: int = 2

    assert field_documentation(Larger) == {
        "model_size": "How much larger.",
        "depth": "How deep,\n\nin blocks.",
    }


def configurations() -> list[type[FrozenConfig]]:
    """What users fill in: the classes of every module of configuration and of nodes, and the tasks."""
    root = Path(vidrep_pipelines.__file__).parent
    patterns = ("*config*.py", "pipelines/**/*_nodes.py", "models/rsp/task.py")
    files = {file for pattern in patterns for file in root.rglob(pattern)}
    names = [".".join(("vidrep_pipelines", *file.relative_to(root).with_suffix("").parts)) for file in files]
    modules = [import_module(name) for name in sorted(names)]
    found = {
        entry
        for module in modules
        for entry in vars(module).values()
        if isinstance(entry, type) and entry.__module__ == module.__name__
    }
    return sorted(
        (entry for entry in found if issubclass(entry, FrozenConfig) and entry.__name__ != "TrainSpec"),
        key=lambda entry: entry.__qualname__,
    )


def fields_with_paths(config: type[FrozenConfig]) -> dict[str, TypeAdapter[object]]:
    """The fields that hold a path, or one or None, by name."""
    kinds = get_type_hints(config, include_extras=True)
    paths = {
        name: kind
        for name, kind in kinds.items()
        if name in config.model_fields and {kind, *get_args(kind)} & {Path, UserPath}
    }
    return {f"{config.__name__}.{name}": TypeAdapter(kind) for name, kind in paths.items()}


# What the pipelines fill in themselves.
OWN = {
    *(f"RspTask.{name}" for name in ("clip_table", "videos", "packet_store")),
    *(f"OccupancyActingSpec.{name}" for name in ("model", "tokenizer", "tokens")),
}


def test_every_path_of_a_user_may_begin_with_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    fields = {name: kind for config in configurations() for name, kind in fields_with_paths(config).items()}
    assert len(fields) > 25 and {"IngestConfig.annotations", "VqvaeRunConfig.initialize_from"} <= set(fields)
    unexpanded = {name for name, kind in fields.items() if kind.validate_python("~/x") != Path("/home/me/x")}
    assert unexpanded == OWN


def test_places_and_what_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    kind = TypeAdapter(UserLocation)
    assert kind.validate_python("~/v, 2") == "/home/me/v, 2"
    assert kind.validate_python(Path("~/v")) == "/home/me/v"
    assert kind.validate_python("s3://bucket/~/v") == "s3://bucket/~/v"
    assert TypeAdapter(UserPath).validate_python("~no_such_user/v") == Path("~no_such_user/v")
    assert at_home(None) is None
