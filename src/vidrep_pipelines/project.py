"""How Kedro sees this project: former names are understood, and a misspelled dataset is an error."""

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from kedro.framework.context import CatalogCommandsMixin, KedroContext
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import AbstractDataset, CatalogConfigResolver, DataCatalog, Version
from omegaconf import DictConfig, OmegaConf

from vidrep_pipelines.common.former_names import (
    current_dataset,
    current_namespace,
    current_parameters,
    current_pipeline,
    current_references,
    former_dataset,
    renamed_dataset,
)

_SELECTIONS: dict[str, Callable[[str], str]] = {
    "pipeline_names": current_pipeline,
    "node_names": current_namespace,
    "from_nodes": current_namespace,
    "to_nodes": current_namespace,
    "namespaces": current_namespace,
    "from_inputs": current_dataset,
    "to_outputs": current_dataset,
}
"""Options of a run that are names."""

_RawConfigs = dict[Path, DictConfig]


class ProjectConfigLoader(OmegaConfigLoader):
    """Understands former names of parameters and of entries of the catalog, in anybody's files.

    So are those of parameters on the command line.
    """

    def _read_raw_config(self, key: str) -> tuple[_RawConfigs, _RawConfigs, str, str, set[Path]]:
        base, environment, base_path, path, files = super()._read_raw_config(key)
        if key == "parameters":
            self.runtime_params = current_parameters(self.runtime_params)
            base, environment = _renamed(base, _current_blocks), _renamed(environment, _current_blocks)
        if key == "catalog":  # an entry that places a dataset elsewhere
            base, environment = _renamed(base, _current_entries), _renamed(environment, _current_entries)
        for configs in (base, environment):  # Kedro has compared the names before they were renamed
            self._check_duplicates(key, configs)
        return base, environment, base_path, path, files


class ProjectCatalog(DataCatalog, CatalogCommandsMixin):
    """A catalog whose factories answer only the names that a registered pipeline uses.

    A factory such as ``{model}_checkpoint`` would otherwise answer for a model that does not exist, too. One
    that no pipeline uses is a user's own and answers for all that it matches.
    """

    def __contains__(self, dataset_name: str) -> bool:
        return self._has(dataset_name) or self._has(renamed_dataset(dataset_name))

    def get(
        self, key: str, fallback_to_runtime_pattern: bool = False, version: Version | None = None
    ) -> AbstractDataset[Any, Any] | None:
        """The dataset of that name, or of its former name; none if there is no such dataset."""
        is_former = not self._has(key) and self._has(renamed_dataset(key))
        name = current_dataset(key) if is_former else key
        return super().get(name, fallback_to_runtime_pattern, version)

    def _has(self, name: str) -> bool:
        if name in self.keys():
            return True
        if not super().__contains__(name):
            return False
        return (
            name in self._used or self.config_resolver.match_dataset_pattern(name) not in self._used_patterns
        )

    @cached_property
    def _used(self) -> set[str]:
        return {name for pipeline in pipelines.values() for name in pipeline.datasets()}

    @cached_property
    def _used_patterns(self) -> set[str | None]:
        return {self.config_resolver.match_dataset_pattern(name) for name in self._used}


class ProjectContext(KedroContext):
    """Gives the project's catalog in notebooks and commands, too, not only in runs."""

    def _get_catalog(
        self,
        catalog_class: type = ProjectCatalog,
        save_version: str | None = None,
        load_versions: dict[str, str] | None = None,
    ) -> Any:
        return super()._get_catalog(catalog_class, save_version, load_versions)


class ProjectSession(KedroSession):
    """Understands former names of pipelines, nodes, namespaces and datasets."""

    def run(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Runs what was selected; arguments and options are those of :meth:`KedroSession.run`."""
        for option, current in _SELECTIONS.items():
            names: Iterable[str] | None = options.get(option)
            if names:
                options[option] = [current(name) for name in names]
        return super().run(*arguments, **options)


def _renamed(configs: _RawConfigs, rename: Callable[[dict[Any, Any]], dict[str, Any]]) -> _RawConfigs:
    current: _RawConfigs = {}
    for path, config in configs.items():
        tree = OmegaConf.to_container(config, resolve=False)
        current[path] = OmegaConf.create(rename(tree)) if isinstance(tree, dict) else config
    return current


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
