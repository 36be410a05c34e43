"""The files of RoboNet below a folder."""

from pathlib import Path

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.files.listing import Listing, list_videos

SUFFIX = ".hdf5"


def list_trajectory_files(root: Path) -> Listing:
    """Lists them; their names without ``.hdf5`` are the ids.

    Raises:
        InputError: There is no such folder, or no file of this kind below it.
    """
    if not root.is_dir():
        raise InputError(f"robonet.root: {root} is no folder. Correct the parameter, or VIDREP_ROBONET.")
    try:
        return list_videos(root, (SUFFIX,))
    except InputError as error:
        raise InputError(
            f"robonet.root: there is no {SUFFIX} file below {root}. Remedy: unpack RoboNet's archive there, "
            "or set the parameter to the folder that holds its trajectories."
        ) from error
