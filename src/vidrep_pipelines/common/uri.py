"""Addresses as they may be shown."""

import re

_USER_AND_PASSWORD = re.compile(r"//[^@/]*@")


def without_credentials(uri: str) -> str:
    """The address for logs: ``postgresql://me:secret@host`` loses ``me:secret@``."""
    return _USER_AND_PASSWORD.sub("//", uri)
