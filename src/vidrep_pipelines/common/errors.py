"""Errors that are meant for the person who started the run."""


class VidrepError(Exception):
    """Base class. The message names the file or parameter at fault and what to do about it."""


class InputError(VidrepError):
    """A file, folder or table that the user supplied cannot be used."""


class ConfigurationError(VidrepError):
    """A parameter, or a combination of parameters, makes no sense."""


class MissingExtraError(VidrepError):
    """An optional dependency of the package is not installed."""
