"""The base class of every configuration object."""

from pydantic import BaseModel, ConfigDict


class FrozenConfig(BaseModel):
    """An immutable, strictly checked configuration.

    A key the class does not know is an error, so that a misspelt parameter never goes unnoticed, and a
    value is never changed after it was checked. The text under each field is its documentation.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=()
    )
