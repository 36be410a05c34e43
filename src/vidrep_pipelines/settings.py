"""Kedro project settings: environments, configuration loading and hooks."""

import os
from pathlib import Path
from typing import Any

from omegaconf.resolvers import oc

from vidrep_pipelines.common.config import at_home
from vidrep_pipelines.console import LoggingHook, NodeHook
from vidrep_pipelines.folder_report import report_of_run
from vidrep_pipelines.hooks import MissingExtraHook, ParameterNameHook, TrackingHook, UnreadParameterHook
from vidrep_pipelines.ledger import RunLedger
from vidrep_pipelines.project import ProjectCatalog, ProjectContext, ProjectSession
from vidrep_pipelines.project_config import ProjectConfigLoader
from vidrep_pipelines.results import ResultHook
from vidrep_pipelines.run_status import RunStatusHook

# Arithmetic threads that spin for long while they wait slow each other down several times as soon as
# anything else uses the processor, data-loader workers included; 1000 turns cost a few percent on an idle
# machine. Read by OpenMP when torch is imported; a value set by the user stays.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

INCLUDED_CONFIGURATION = Path(__file__).with_name("conf")
"""Where an installed wheel has the configuration; in a clone it is at the root, and nothing is here."""

if INCLUDED_CONFIGURATION.is_dir() and not Path("conf", "base").is_dir():
    CONF_SOURCE = INCLUDED_CONFIGURATION.as_posix()

_ledger = RunLedger()
HOOKS = (
    LoggingHook(),
    NodeHook(),
    ParameterNameHook(),
    MissingExtraHook(),
    UnreadParameterHook(),
    _ledger,
    TrackingHook(_ledger),
    RunStatusHook(),
    ResultHook(_ledger, report_of_run),
)

CONFIG_LOADER_CLASS = ProjectConfigLoader
CONTEXT_CLASS = ProjectContext
DATA_CATALOG_CLASS = ProjectCatalog
SESSION_CLASS = ProjectSession

# An installed kedro-mlflow would register itself and start a second run (spelled with an underscore).
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow",)


def _block(*, _parent_: Any) -> str:
    """The name of the block of parameters that a value is part of, so that no block has to repeat its own."""
    return str(_parent_._get_full_key(None)).partition(".")[0]


CONFIG_LOADER_ARGS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "laptop",
    # Without the soft merge an environment that sets one key of a block would delete the rest of the block.
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
    # at_home: ~ at the beginning of a path; block: the name of the top-level block that it stands in.
    "custom_resolvers": {"oc.env": oc.env, "at_home": at_home, "block": _block},
}
