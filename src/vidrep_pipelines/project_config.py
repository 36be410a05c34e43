"""How parameters and the catalog are read: as Kedro does, in a fraction of the time, with former names.

Kedro makes an OmegaConf tree of every file, merges the trees and resolves what is merged. Of this project's
2,000 lines that takes seconds, at the beginning of every command. Here files stay plain dictionaries, and
OmegaConf sees only the blocks in which there is something to resolve, other than global values. Results and
errors are the same, except that a list may take the place of a block.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines
from kedro.io import CatalogConfigResolver
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader
from omegaconf.errors import OmegaConfBaseException
from yaml.parser import ParserError

from vidrep_pipelines.common.former_names import (
    current_dataset,
    current_parameters,
    current_references,
    former_dataset,
    renamed_dataset,
)

_Trees = dict[Path, Any]
"""What is in each file: a plain dictionary, or OmegaConf's where Kedro read it."""

_MERGED = Path("merged")
_MISSING = "???"
"""OmegaConf's mark of a value that another file must give; it never replaces one."""

_LOOKS_AROUND = re.compile(r"\$\{(?!\s*\.|\s*[\w.]+\s*:)|\boc\.(select|create|dict|deprecated)\b")
"""What may look into other blocks: a name without a resolver, and the resolvers that take one."""


STANDS_ON = {"published": "cluster"}
"""Environments that say only what is different from another one, which is read before them; others stand on
``base`` alone."""

_GLOBAL = re.compile(r"\$\{globals:([A-Za-z]\w*(?:\.\w+)*)\}")
"""A global value without an alternative."""


class ProjectConfigLoader(OmegaConfigLoader):
    """Understands former names of parameters and of entries of the catalog, in anybody's files.

    So are those of parameters on the command line.
    """

    def _read_raw_config(self, key: str) -> tuple[_Trees, _Trees, str, str, set[Path]]:
        base, environment, base_path, path, files = super()._read_raw_config(key)
        layers = [base, self._below(key, files), environment]
        if key == "parameters":
            self.runtime_params = current_parameters(self.runtime_params)
            layers = [_renamed(trees, _current_blocks) for trees in layers]
        if key == "catalog":  # an entry that places a dataset elsewhere
            layers = [_renamed(trees, _current_entries) for trees in layers]
        for trees in layers:  # Kedro has compared the names before they were renamed
            self._check_duplicates(key, trees)
        base, below, environment = layers
        return base, {**below, **environment}, base_path, path, files

    def _below(self, key: str, processed_files: set[Path]) -> _Trees:
        """The files of the environment that the chosen one stands on; what comes later counts more."""
        name = STANDS_ON.get(self.env or self.default_run_env)
        if name is None or key == "credentials":
            return {}
        path = self._get_conf_env_path(name)
        return self._read_dir_configs(path, self.config_patterns[key], key, processed_files)

    def _read_dir_configs(
        self,
        conf_path: str,
        patterns: Iterable[str],
        key: str,
        processed_files: set[Path],
        read_environment_variables: bool | None = False,
    ) -> _Trees:
        folder = Path(conf_path)
        if self._protocol != "file" or read_environment_variables or not folder.is_dir():
            return super()._read_dir_configs(  # type: ignore[no-any-return]
                conf_path, patterns, key, processed_files, read_environment_variables
            )
        found = {file for pattern in patterns for file in self._fs.glob((folder / pattern).as_posix())}
        shown = (Path(file) for file in sorted(found) if not (self.ignore_hidden and self._is_hidden(file)))
        trees = {path: _read_tree(path) for path in shown if self._is_valid_config_path(path)}
        processed_files.update(trees)
        self._check_duplicates(key, trees)
        return trees

    def _check_duplicates(self, key: str, config_per_file: _Trees) -> None:
        if key == "parameters" and _all_plain(config_per_file):
            names = {path: self._get_all_keys(tree) for path, tree in config_per_file.items()}
            super()._check_duplicates("", {path: dict.fromkeys(every) for path, every in names.items()})
        else:
            super()._check_duplicates(key, config_per_file)

    def _merge_and_resolve(self, key: str, config_per_file: _Trees) -> dict[str, Any]:
        if not config_per_file or not _all_plain(config_per_file):
            return super()._merge_and_resolve(key, config_per_file)  # type: ignore[no-any-return]
        trees = [*config_per_file.values(), (self.runtime_params or {}) if key == "parameters" else {}]
        whole: dict[Any, Any] = {}
        for tree in trees:
            whole = _merge(whole, tree)
        if key != "globals":
            whole = _with_globals(whole, dict(_scalars(self._globals)))
        texts = {name: [text for text in _texts(block) if "${" in text] for name, block in whole.items()}
        part = {name: block for name, block in whole.items() if texts[name]}
        if any(_LOOKS_AROUND.search(text) for block in texts.values() for text in block):
            part = whole
        resolved = self._resolve(key, part, whole)
        return {
            name: resolved[name] if name in part else block
            for name, block in whole.items()
            if key == "parameters" or not name.startswith("_")
        }

    def _resolve(self, key: str, part: dict[Any, Any], whole: dict[Any, Any]) -> dict[str, Any]:
        """Some blocks resolved by Kedro, or all of them if some refer to others after all."""
        try:
            return super()._merge_and_resolve(key, {_MERGED: OmegaConf.create(part)}) if part else {}
        except OmegaConfBaseException:
            return super()._merge_and_resolve(key, {_MERGED: OmegaConf.create(whole)})  # type: ignore[no-any-return]

    @staticmethod
    def _soft_merge(config: dict[str, Any], env_config: dict[str, Any], env_path: str | None = None) -> Any:
        del env_path  # for Kedro's log only
        return _merge(config, env_config)


def _all_plain(trees: _Trees) -> bool:
    return all(isinstance(tree, dict) for tree in trees.values())


def _read_tree(path: Path) -> Any:
    """What a YAML or JSON file holds, read by OmegaConf's rules (``1e-3`` is a number, dates are text)."""
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), Loader=_yaml_loader())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = "" if mark is None else f", unable to read line {mark.line}, position {mark.column}"
        raise ParserError(f"Invalid YAML or JSON file {path.as_posix()}{place}: {error.problem}.") from error
    return {} if tree is None else tree if isinstance(tree, dict) else OmegaConf.create(tree)


@cache
def _yaml_loader() -> Any:
    """OmegaConf's loader on the parser in C, ten times faster, where PyYAML has one."""
    rules = get_yaml_loader()
    if not yaml.__with_libyaml__:
        return rules
    from yaml._yaml import CParser  # noqa: PLC0415 (not there without libyaml)

    class Loader(CParser, rules):  # type: ignore[misc, valid-type]
        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            yaml.constructor.SafeConstructor.__init__(self)
            yaml.resolver.Resolver.__init__(self)

    return Loader


def _merge(base: dict[Any, Any], changes: dict[Any, Any]) -> dict[Any, Any]:
    """Both in one new tree, in which nothing is shared; what the second says counts more."""
    result = {key: _copied(value) for key, value in base.items()}
    for key, value in changes.items():
        old = result.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            result[key] = _merge(old, value)
        elif not (key in result and value == _MISSING):
            result[key] = _copied(value)
    return result


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(entry) for key, entry in value.items()}
    return [_copied(entry) for entry in value] if isinstance(value, list) else value


def _texts(value: Any) -> Iterator[str]:
    """All texts in a tree but its keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _texts(entry)


def _scalars(tree: dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Texts, numbers and nothings in a tree, by the names of their blocks and their own with dots between."""
    for key, value in tree.items():
        if not isinstance(key, str) or "." in key:
            continue
        if isinstance(value, dict):
            yield from _scalars(value, f"{prefix}{key}.")
        elif value is None or isinstance(value, int | float) or _is_final(value):
            yield f"{prefix}{key}", value


def _is_final(value: Any) -> bool:
    return isinstance(value, str) and value != _MISSING and "${" not in value


def _with_globals(value: Any, known: dict[str, Any]) -> Any:
    """The tree with known values in place of their names, in texts with nothing else to resolve."""
    if isinstance(value, dict):
        return {key: _with_globals(entry, known) for key, entry in value.items()}
    if isinstance(value, list):
        return [_with_globals(entry, known) for entry in value]
    if not isinstance(value, str) or "${" not in value or "\\" in value:
        return value
    if whole := _GLOBAL.fullmatch(value):
        return known.get(whole[1], value)
    names = {name: known.get(name) for name in _GLOBAL.findall(value)}
    if not all(isinstance(text, str) for text in names.values()):
        return value
    filled = _GLOBAL.sub(lambda match: str(names[match[1]]), value)
    return value if "${" in filled else filled


def _renamed(trees: _Trees, rename: Callable[[dict[Any, Any]], dict[str, Any]]) -> _Trees:
    return {path: rename(tree) if isinstance(tree, dict) else tree for path, tree in trees.items()}


def _current_blocks(blocks: dict[Any, Any]) -> dict[str, Any]:
    return current_parameters(current_references(blocks))


def _current_entries(entries: dict[Any, Any]) -> dict[str, Any]:
    """Entries under their current names; one under the current name counts more than one under the former."""
    renamed = {}
    for name, entry in entries.items():
        current = current_dataset(name) if _is_of_a_pipeline(name) else name
        if current == name or current not in entries:
            renamed[current] = entry
    return renamed


def _is_of_a_pipeline(name: str) -> bool:
    """Whether an entry, perhaps a factory, gave a dataset of a pipeline under its former name."""
    if renamed_dataset(name) == name:
        return False
    names = {former_dataset(dataset) for pipeline in pipelines.values() for dataset in pipeline.datasets()}
    pattern = CatalogConfigResolver({name: {}})
    return name in names or any(pattern.match_dataset_pattern(former) == name for former in names)
