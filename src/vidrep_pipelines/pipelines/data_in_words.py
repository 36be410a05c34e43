"""What was measured on, in the words of a person: what a number is worth depends on it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

_DAVIS_COUNTS = MappingProxyType({"train": 60, "val": 30, "test-dev": 30, "test-challenge": 30})
"""Sequences in the lists of DAVIS-2017."""
_RELEASES = MappingProxyType(
    {
        "davis": ("DAVIS-2017", "VIDREP_DAVIS=<folder DAVIS of DAVIS-2017-trainval-480p.zip>"),
        "jhmdb": ("JHMDB", "VIDREP_JHMDB=<its folder>"),
        "vip": ("VIP", "VIDREP_VIP=<its folder VIP_Fine>"),
        "pouring": ("Pouring", "VIDREP_POURING=<its folder>"),
        "penn_action": ("PennAction", "VIDREP_PENN_ACTION=<its folder>"),
        "finegym": ("FineGym", "VIDREP_FINEGYM=<its folder>"),
        "robonet": ("RoboNet", "VIDREP_ROBONET=<its folder>"),
    }
)
"""Published data sets by their block of parameters, and how they are given."""
_LAYOUTS = ("instances", "xbot", "something_something", "bridge_raw", "rt1_raw", "calvin", "lerobot")

Parameters = Mapping[str, Any]
"""Blocks of parameters by name, as configurations."""


def data_in_words(block: str, parameters: Parameters, count: int | None = None) -> str:
    """Where data come from, such as ``"12 clips of the sample world in VIP's layout, not VIP"``.

    Args:
        block: The block of parameters that says it, such as ``davis`` or ``robot_episodes``.
        parameters: All blocks that the run reads.
        count: How many sequences, videos or clips were measured, where that is known.
    """
    config = parameters.get(block)
    if block in _RELEASES:
        return _release(block, config, parameters, count)
    describe = _OTHERS.get(block)
    return describe(config) if describe and config is not None else block


def missing_release(block: str, parameters: Parameters) -> str | None:
    """What to say at the start of a run that measures on something else in a data set's layout; else none."""
    if block not in ("davis", "jhmdb", "vip") or getattr(parameters.get(block), "root", None) is not None:
        return None
    name, remedy = _RELEASES[block]
    return (
        f"{name} itself is not configured: eval_{block} measures on clips of the sample world in its layout, "
        f"so that no number of this run is comparable with a published one. For {name}: {remedy}"
    )


def _release(block: str, config: Any, parameters: Parameters, count: int | None) -> str:
    name, _ = _RELEASES[block]
    root = getattr(config, "root", None)
    clips = "clips" if count is None else f"{count} clips"
    if root is None:
        videos = getattr(parameters.get("ingest"), "root", None) if block == "robonet" else None
        if videos is not None:
            return f"{clips} of the videos in {videos}, not {name}"
        return f"{clips} of the sample world in {name}'s layout, not {name}"
    if block == "davis":
        split = getattr(config, "split", "")
        if count is not None and count != _DAVIS_COUNTS.get(split):
            return f"{count} sequences in {name}'s layout in {root} (list {split})"
        return f"{name} {split}, {count} sequences" if count else f"{name} {split}"
    return f"{name} in {root}" + (f", {count} of its videos" if count else "")


def _robot_episodes(config: Any) -> str:
    named = [f"{layout}: {', '.join(found)}" for layout in _LAYOUTS if (found := getattr(config, layout, {}))]
    named += [name for name in ("metaworld",) if getattr(config, name, None) is not None]
    if not named or getattr(config, "with_tabletop", None):
        named.append("the sample world's tabletop")
    return "episodes of " + "; ".join(named)


def _episodes(config: Any) -> str:
    if getattr(config, "replay_buffer", None) is not None:
        return f"episodes of the replay buffers in {config.replay_buffer}"
    control = getattr(config, "control", None)
    if control is not None:
        return f"episodes of the DeepMind Control Suite ({control.domain}-{control.task})"
    return "episodes of the sample world's arm"


def _videos(config: Any) -> str:
    root = getattr(config, "root", None)
    return "clips of the sample world" if root is None else f"the videos in {root}"


def _rollouts(config: Any) -> str:
    chosen = getattr(config, "root", config)  # one of several kinds of configuration
    world = getattr(chosen, "world", "tabletop")
    return "MetaWorld, simulated" if world == "metaworld" else "the sample world's tabletop, simulated"


def _calvin(config: Any) -> str:
    kind = getattr(getattr(config, "world", None), "kind", "simulator")
    return "CALVIN's simulator" if kind == "simulator" else "the built-in miniature of CALVIN, not CALVIN"


def _chains(_: Any) -> str:
    return "random Markov chains, whose truth is known"


def _published_features(config: Any) -> str:
    return f"the published features of FineGym in {getattr(config, 'root', None)}"


def _published_codes(_: Any) -> str:
    return "episodes under the codes that VOC's authors publish"


_OTHERS: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "robot_episodes": _robot_episodes,
        "dmc": _episodes,
        "ingest": _videos,
        "rollout": _rollouts,
        "calvin": _calvin,
        "occupancy_chains": _chains,
        "carl_finegym_features": _published_features,
        "voc_vae_released_latents": _published_codes,
        "voc_dino_released_latents": _published_codes,
    }
)
