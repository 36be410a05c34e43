"""What somebody may have meant by a name that nothing has."""

import difflib
import logging
from collections.abc import Iterable

from vidrep_pipelines.common.text import composed

_log = logging.getLogger(__name__)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x' or 'y'?``, the closest first, or nothing where no name comes close."""
    close = difflib.get_close_matches(name, sorted(set(known)), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


def warn_of_absent(parameter: str, names: Iterable[str | int], present: Iterable[str | int]) -> None:
    """Warns of chosen names that nothing has: a misspelled one would silently choose or leave out less.

    Names may be numbers. Letters with accents are the same in either spelling of Unicode.
    """
    known = {composed(str(name)) for name in present}
    for name in names:
        if composed(str(name)) not in known:
            _log.warning("%s: nothing here is called %r.%s", parameter, name, did_you_mean(str(name), known))
