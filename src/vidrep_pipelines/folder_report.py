"""The page that every run leaves: all evaluations and trainings of a data folder."""

import logging
from pathlib import Path
from typing import Any

from kedro.framework.project import pipelines

from vidrep_pipelines.common.atomic import ReadOnlyError, atomic_file
from vidrep_pipelines.ledger import RunLedger, file_of

_PAGE, BESIDE = "report.html", "contact_sheet"
"""Name of the page; the picture that lies in the folder of all reports itself, beside which the page goes."""
_LINEAGE = Path("docs") / "lineage.png"
_log = logging.getLogger(__name__)


def write_report(project: Path, catalog: Any) -> Path | None:
    """Writes the page of the catalog's data folder; one that would be the same stays as it is.

    Args:
        project: Folder of the project.
        catalog: Says where everything lies.

    Returns:
        The page; none if the catalog has no place for it.

    Raises:
        ReadOnlyError: The page would change, and the folder cannot be written to.
    """
    beside = file_of(catalog, BESIDE)
    if beside is None:
        return None
    from vidrep_pipelines.gathering import gather  # noqa: PLC0415 - only a run's end needs them
    from vidrep_pipelines.reporting.report.page import render_page  # noqa: PLC0415

    place = (beside.parent / _PAGE).absolute()
    nodes = {node.name: node for pipeline in pipelines.values() for node in pipeline.nodes}
    text = render_page(gather(catalog, nodes.values(), project / _LINEAGE), place)
    if not (place.is_file() and place.read_bytes() == text.encode()):
        with atomic_file(place) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return place


def report_of_run(ledger: RunLedger, catalog: Any) -> Path | None:
    """The page after a run, which no fault in it may fail.

    Args:
        ledger: Of the run.
        catalog: Says where everything lies.
    """
    try:
        return write_report(ledger.project, catalog)
    except ReadOnlyError:  # a finished data folder
        return None
    except Exception as error:
        _log.warning("The run is done; the report of all runs could not be written: %r", error)
        return None
