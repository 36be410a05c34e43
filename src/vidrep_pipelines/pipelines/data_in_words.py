"""What was measured on, in the words of a person: what a number is worth depends on it."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from vidrep_pipelines.data.sources.davis_names import DAVIS_SEQUENCES, is_davis

_BENCHMARK_COUNTS = MappingProxyType({"jhmdb": 268, "vip": 50})
"""Videos that published numbers of a release are means over."""
_RELEASES = MappingProxyType(
    {
        "davis": ("DAVIS-2017", "VIDREP_DAVIS=<folder DAVIS of DAVIS-2017-trainval-480p.zip>"),
        "jhmdb": ("JHMDB", "VIDREP_JHMDB=<its folder>"),
        "vip": ("VIP", "VIDREP_VIP=<its folder VIP_Fine>"),
        "points": ("TAP-Vid", "VIDREP_TAPVID=<tapvid_davis.pkl or tapvid_rgb_stacking.pkl>"),
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


def data_in_words(
    block: str, parameters: Parameters, count: int | None = None, names: Collection[str] = ()
) -> str:
    """Where data come from, such as ``"12 clips of the sample world in VIP's layout, not VIP"``.

    Args:
        block: The block of parameters that says it, such as ``davis`` or ``robot_episodes``.
        parameters: All blocks that the run reads.
        count: How many sequences, videos or clips were measured, where that is known.
        names: Their names, where these are known. Videos in the layout of a data set are not called by its
            name unless they bear the names of its own.
    """
    config = parameters.get(block)
    if block in _RELEASES and (config is not None or block == "robonet"):
        return _release(block, config, parameters, count, names)
    describe = _OTHERS.get(block)
    return describe(config) if describe and config is not None else block


def is_published_benchmark(
    block: str, parameters: Parameters, count: int | None = None, names: Collection[str] = ()
) -> bool:
    """Whether numbers may stand beside published ones: all that was published was measured, nothing else.

    The arguments are those of :func:`data_in_words`.
    """
    config = parameters.get(block)
    if getattr(config, "root", None) is None:
        return False
    if block == "davis":
        split = getattr(config, "split", "")
        return is_davis(names, split) and count == len(DAVIS_SEQUENCES[split])
    return count is not None and count == _BENCHMARK_COUNTS.get(block)


def missing_release(block: str, parameters: Parameters) -> str | None:
    """What to say at the start of a run that measures on something else in a data set's layout; else none."""
    if (
        block not in ("davis", "jhmdb", "vip", "points")
        or getattr(parameters.get(block), "root", None) is not None
    ):
        return None
    name, remedy = _RELEASES[block]
    return (
        f"{name} itself is not configured: eval_{block} measures on clips of the sample world in its layout, "
        f"so that no number of this run is comparable with a published one. For {name}: {remedy}"
    )


def _release(
    block: str, config: Any, parameters: Parameters, count: int | None, names: Collection[str]
) -> str:
    name, _ = _RELEASES[block]
    root = getattr(config, "root", None)
    clips = "clips" if count is None else f"{count} clips"
    if root is None:
        videos = getattr(parameters.get("ingest"), "root", None) if block == "robonet" else None
        if videos is not None:
            return f"{clips} of the videos in {videos}, not {name}"
        return f"{clips} of the sample world in {name}'s layout, not {name}"
    if block == "davis":
        return _davis(root, getattr(config, "split", ""), count, names)
    return f"{name} in {root}" + (f", {count} of its videos" if count else "")


def _davis(root: Any, split: str, count: int | None, names: Collection[str]) -> str:
    sequences = "sequences" if count is None else f"{count} sequences"
    if not is_davis(names, split):
        return f"{sequences} in DAVIS-2017's layout in {root} (list {split})"
    whole = len(DAVIS_SEQUENCES[split])
    return f"DAVIS-2017 {split}, {sequences}" + (f" of {whole}" if count not in (None, whole) else "")


def _robot_episodes(config: Any) -> str:
    named = [f"{layout}: {', '.join(found)}" for layout in _LAYOUTS if (found := getattr(config, layout, {}))]
    named += [name for name in ("metaworld", "dmc") if getattr(config, name, None) is not None]
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


def _labelled_clips(config: Any) -> str:
    if (folder := getattr(config, "something_something", None)) is not None:
        return f"Something-Something v2 in {folder}"
    folder = getattr(config, "validation", None)
    return "clips of the sample world's activities" if folder is None else f"the clips in {folder}"


def _rollouts(config: Any) -> str:
    chosen = getattr(config, "root", config)  # one of several kinds of configuration
    world = getattr(chosen, "world", "tabletop")
    names = {"metaworld": "MetaWorld", "dmc": "the DeepMind Control Suite"}
    named = names.get(world, "the sample world's tabletop")
    return f"{named}, simulated"


def _calvin(config: Any) -> str:
    kind = getattr(getattr(config, "world", None), "kind", "simulator")
    return "CALVIN's simulator" if kind == "simulator" else "the built-in miniature of CALVIN, not CALVIN"


def _chains(_: Any) -> str:
    return "random Markov chains, whose truth is known"


def _published_features(config: Any) -> str:
    return f"the published features of FineGym in {getattr(config, 'root', None)}"


def _published_codes(_: Any) -> str:
    return "episodes under the codes that VOC's authors publish"


def _compared(_: Any) -> str:
    return "what each evaluation's own table names"


_OTHERS: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "robot_episodes": _robot_episodes,
        "dmc": _episodes,
        "ingest": _videos,
        "probe_clips": _labelled_clips,
        "robot_demos": _robot_episodes,
        "compare_encoders": _compared,
        "rollout": _rollouts,
        "calvin": _calvin,
        "occupancy_chains": _chains,
        "carl_finegym_features": _published_features,
        "voc_vae_released_latents": _published_codes,
        "voc_dino_released_latents": _published_codes,
    }
)
