"""Names as tables and files can hold them."""


def is_utf8(text: str) -> bool:
    """False for file names with bytes that are not UTF-8; no table could hold them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
