"""Files of weights from elsewhere: whether one can hold any, and which weights they are."""

from pathlib import Path

from vidrep_pipelines.common.digest import digest_of_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import disguise_of, file_head, plain_disguise_of

_ZIP = b"PK\x03\x04"


def check_weight_file(path: Path) -> None:
    """Looks at the first bytes of a file, which tells before any work whether it can hold weights.

    Raises:
        InputError: There is no such file, or it is a pointer, a web page, or packed.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}. Download the weights or correct the parameter.")
    may_be_zip = path.suffix != ".safetensors" and (file_head(path) or b"").startswith(_ZIP)  # as PyTorch's
    if disguise := disguise_of(path) or (None if may_be_zip else plain_disguise_of(path)):
        raise InputError(f"{path} holds no weights: {disguise}")


def weights_digest(name: str, path: Path | None) -> str | None:
    """Digest of a file of weights: what is in it counts, not where it lies. None without a file.

    Args:
        name: The parameter's name, for messages.
        path: The file.

    Raises:
        InputError: It cannot be read, or can hold no weights; see :func:`check_weight_file`.
    """
    if path is None:
        return None
    try:
        path.stat()
        check_weight_file(path)
        return digest_of_file(path)
    except OSError as error:
        raise InputError(
            f"{name}: {path} cannot be read ({error.strerror}). Download the weights or correct the "
            "parameter."
        ) from error
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
