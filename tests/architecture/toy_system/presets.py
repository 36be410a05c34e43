"""The published configurations of the toy system, by their names."""

from collections.abc import Mapping
from types import MappingProxyType

from tests.architecture.toy_system.config import NextColorModelConfig

PRESETS: Mapping[str, NextColorModelConfig] = MappingProxyType(
    {"narrow": NextColorModelConfig(width=4), "wide": NextColorModelConfig(width=64)}
)
