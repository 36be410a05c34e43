"""How Kedro sees this project: former names are understood, and a misspelled dataset is an error."""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from kedro.framework.context import CatalogCommandsMixin, KedroContext
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import AbstractDataset, DataCatalog, MemoryDataset, Version
from kedro.io.core import is_parameter
from kedro.pipeline import Pipeline
from kedro.validation.exceptions import ParameterValidationError

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.former_names import (
    current_dataset,
    current_namespace,
    current_pipeline,
    renamed_dataset,
)
from vidrep_pipelines.selection import (
    refuse_missing_configuration,
    refuse_unknown_environment,
    refuse_unknown_pipelines,
    refuse_unknown_selection,
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


class ProjectCatalog(DataCatalog, CatalogCommandsMixin):
    """A catalog whose factories answer only the names that a registered pipeline uses.

    A factory such as ``{model}_checkpoint`` would otherwise answer for a model that does not exist, too. One
    that no pipeline uses is a user's own and answers for all that it matches.
    """

    def __setitem__(self, key: str, value: Any) -> None:
        if is_parameter(key) and not isinstance(value, AbstractDataset):
            # As Kedro does it, which for each of 2,000 values looks for the libraries of tables first.
            value = MemoryDataset(value, copy_mode="deepcopy")
        super().__setitem__(key, value)

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
    """Gives the project's catalog in notebooks and commands, too; says which parameters are wrong."""

    def _get_validated_params(self) -> dict[str, Any]:
        """Kedro's, which knows of a wrong value only pydantic's text.

        Raises:
            ConfigurationError: Parameters are wrong; the message names them and where they were written.
        """
        try:
            return super()._get_validated_params()
        except ParameterValidationError as error:
            from vidrep_pipelines.parameter_faults import describe_parameter_faults  # noqa: PLC0415

            names = self._pipelines_to_validate or list(pipelines)
            used = {name: pipelines[name] for name in names}
            loader: Any = self.config_loader
            text = describe_parameter_faults(loader["parameters"], used, loader)
            raise ConfigurationError(text or str(error)) from error

    def _get_catalog(
        self,
        catalog_class: type = ProjectCatalog,
        save_version: str | None = None,
        load_versions: dict[str, str] | None = None,
    ) -> Any:
        return super()._get_catalog(catalog_class, save_version, load_versions)


class ProjectSession(KedroSession):
    """Understands former names of pipelines, nodes, namespaces and datasets, and refuses unknown ones."""

    def run(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Runs what was selected; arguments and options are those of :meth:`KedroSession.run`.

        Raises:
            ConfigurationError: There is no configuration, or no such environment, pipeline, node, dataset,
                namespace or tag.
        """
        for option, current in _SELECTIONS.items():
            names: Iterable[str] | None = options.get(option)
            if names:
                options[option] = [current(name) for name in names]
        refuse_missing_configuration(self._conf_source)
        refuse_unknown_environment(self._conf_source, self.store.get("env"))
        if not arguments:  # which may be any of the options; Kedro itself names them
            former = options.get("pipeline_name")
            selected = options.get("pipeline_names") or [former or "__default__"]
            refuse_unknown_pipelines(selected, pipelines)
            refuse_unknown_selection(options, sum((pipelines[name] for name in selected), Pipeline([])))
        return super().run(*arguments, **options)
