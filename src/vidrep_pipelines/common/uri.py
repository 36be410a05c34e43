"""Addresses as they may be shown."""

import re
from urllib.parse import unquote, urlsplit

_HIDDEN = "***"
_SHORTEST_SECRET = 4  # a shorter one would be found in ordinary words

# ``//me:secret@``: up to the last @ before the path. A password may hold an unescaped slash (databases accept
# it), which a port followed by a path does not look like.
_USER_AND_PASSWORD = re.compile(r"//(?:[^:/\s@]*:(?!\d+/)[^\s@]*@)?(?:[^/\s?#]*@)?")
_SECRET_IN_QUERY = re.compile(
    r"(?P<name>[?&;](?:[\w.-]*(?:passw|pwd|secret|token|signature|credential|api_?key|access_?key)[\w.-]*|sig|auth)=)"
    r"[^&;#\s'\"]+",
    re.IGNORECASE,
)


def without_credentials(text: str) -> str:
    """An address, or a text with addresses in it, for logs.

    ``postgresql://me:secret@host`` loses ``me:secret@``; of ``?token=secret`` the name stays.
    """
    return _SECRET_IN_QUERY.sub(rf"\g<name>{_HIDDEN}", _USER_AND_PASSWORD.sub("//", text))


def without_secrets_of(address: str, text: str) -> str:
    """``text``, such as the message of a driver's exception, without what ``address`` keeps secret.

    Drivers repeat the password on its own, too, as it was written or decoded.
    """
    try:
        parts = urlsplit(address)
        written = parts.password or parts.username or ""  # a token stands alone
    except ValueError:  # an address that nobody can take apart
        written = ""
    for secret in {written, unquote(written)}:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _HIDDEN)
    return without_credentials(text)
