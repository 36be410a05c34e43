"""Writes docs/how_fast.md from the kept results of the benchmarks: ``make docs``."""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE, RESULTS = ROOT / "docs" / "how_fast.md", ROOT / "benchmarks" / "results.json"

GOALS = "What the project itself costs"
"""This section's reference is a goal."""

SECTIONS: dict[str, dict[str, str]] = {
    "Reading and preparing videos": {
        "resize_throughput": "resizing clips, with the packet index",
        "rsp_pair_loading": "RSP's pairs of frames from files",
        "rsp_pair_loading_small": "the same from files of the published size",
        "rsp_pair_loading_decord": "the same, ours through decord too",
        "read_pair": "two frames of a video",
        "read_16_stride_4": "16 frames, every fourth",
        "read_32_in_a_row": "32 frames in a row",
        "crop_resize_normalise": "crop, resize, flip, normalize",
        "carl_loading_cpu": "CARL's two views of a long video",
        "carl_loading_cpu_resized": "the same from a resized video",
        "carl_loading_memory": "memory of the former",
        "carl_loading_memory_resized": "memory of the latter",
        "carl_augmentation": "CARL's colours, without blur",
        "carl_augmentation_blurred": "CARL's colours, with the published blur",
    },
    "Reading what was prepared": {
        "hdf5_clip_read": "windows of 12 frames",
        "hdf5_frame_read": "single frames",
        "video_latents": "latents of 16 frames",
        "calvin_items": "items of CALVIN",
        "voc_buffer_memory": "memory of a replay buffer",
    },
    "Training": {
        "rsp_training_step_fp32": "RSP's step, fp32",
        "rsp_training_step_bf16": "RSP's step, bf16",
        "vpp_policy_training": "the policy's update",
        "vpp_policy_training_flops": "its multiplications",
        "vpp_optimizer": "the optimizer's step",
    },
    "Using what was trained": {
        "code_extraction": "VQ-VAE's codes",
        "voc_token_extraction": "VOC's tokens, against the encoder alone",
        "voc_token_extraction_published": "VOC's tokens, against the published loop",
        "voc_sampling": "a sampled state of the future",
        "voc_value_sampling": "12 states for a value",
        "vpp_sampling": "a step of video diffusion",
        "vpp_sampling_guided": "the same, guided",
        "vpp_policy_sampling": "chunks of actions",
        "serve_policy": "answers of the policy's service",
    },
    "Measuring": {
        "propagation_per_frame": "label propagation, a frame",
        "propagation_window": "its window of sources",
        "propagation_memory": "its memory",
        "davis_jf": "J and F",
        "ssim": "SSIM, 64 pixels",
        "ssim_256": "SSIM, 256 pixels",
        "frechet_distance": "Frechet distance, 256 samples of 400 numbers",
        "frechet_distance_2048x400": "the same, 2048 of 400",
        "frechet_distance_4000x2048": "the same, 4000 of 2048",
        "carl_retrieval": "retrieval of frames",
        "carl_tau": "Kendall's tau",
        "carl_dtw": "dynamic time warping",
        "calvin_sequences": "drawing CALVIN's sequences of tasks",
    },
    "Work on many files": {
        "fan_out_items": "the fan-out's trivial items",
        "fan_out_driver": "what they cost the driver",
    },
    GOALS: {
        "registry_list": "`kedro registry list`",
        "nothing_to_do_pretrain_rsp": "`pretrain_rsp`, up to date",
        "nothing_to_do_eval_davis_systems": "`eval_davis_systems`, up to date",
        "resume_after_kill": "going on after a kill",
        "ten_million_rows_seconds": "ten million rows, the slowest step",
        "ten_million_rows_memory": "ten million rows, the memory of a step",
    },
}
LESS_IS_BETTER = {
    "carl_loading_cpu",
    "carl_loading_cpu_resized",
    "carl_loading_memory",
    "carl_loading_memory_resized",
    "propagation_memory",
    "voc_buffer_memory",
}
"""Results whose kept ratio is ours over the reference's; the page turns it round."""

HEAD = """# How fast, compared with what

Made from `benchmarks/results.json` by `make docs`. `make bench` measures again, `make bench BENCH=ssim`
one row of it. Ours and what it is compared with run in turns, on one machine. A factor is the other's
time (or memory) over ours: at 2 ours takes half, below 1 the other is ahead. Where a description says
of its ratio that less is better, the tables have turned it round.

- *Published* is the way of the system's original code. Much of a large factor is its doing: it decodes
  600 frames to read 160, or loops over pairs in Python.
- *The goal*, where nothing else does the same: the time or memory that it may take at most.
- *Strongest peer* is the best tool that pip installs for the work (extra `bench`). Where it is ahead,
  the reason stands below the table. A dash: none is measured yet, so that the row says nothing about
  the best there is.

Take a factor between 0.8 and 1.3 for a tie, and none from a busy machine. Not measured beside ours yet:
Lance with JPEG against the frame store, DuckDB and Polars against the tables, Ray against the fan-out.
"""


def page(results: dict[str, dict[str, Any]]) -> str:
    """The page for these results."""
    return "\n".join(
        [HEAD, *(_section(title, names, results) for title, names in SECTIONS.items()), _hows(results)]
    )


def _section(title: str, names: dict[str, str], results: dict[str, dict[str, Any]]) -> str:
    second = "the goal" if title == GOALS else "published"
    rows = [f"## {title}", "", f"| | ours | {second} | strongest peer |", "| --- | --- | --- | --- |"]
    notes = []
    for name, words in names.items():
        result = results.get(name)
        if result is None:
            rows.append(f"| {words} (`{name}`) | not measured yet | | |")
            continue
        ours = f"{result['ours']:.3g} {result['unit']}"
        rows.append(f"| {words} (`{name}`) | {ours} | {_factor(name, result)} | {_peer(result)} |")
        if "reason" in result:
            notes.append(f"- `{name}`, behind {result['peer']}: {result['reason']}.")
    return "\n".join([*rows, *([""] if notes else []), *notes, ""])


def _factor(name: str, result: dict[str, Any]) -> str:
    ratio = 1 / result["ratio"] if name in LESS_IS_BETTER else result["ratio"]
    return f"{ratio:.3g}"


def _peer(result: dict[str, Any]) -> str:
    if "peer" not in result:
        return "-"
    ratio = f"{result['peer_ratio']:.2f}" if "peer_ratio" in result else "not installed"
    return f"{ratio} ({result['peer']})"


def _hows(results: dict[str, dict[str, Any]]) -> str:
    lines = ["## What was measured", ""]
    for name in (name for names in SECTIONS.values() for name in names if name in results):
        result = results[name]
        peer = f" Peer: {result['peer']}, {result['peer_how']}." if "peer" in result else ""
        where = f" Machine: {result['machine']}." if "machine" in result else ""
        lines.append(f"- `{name}`: {result['how']}.{peer}{where}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(json.loads(RESULTS.read_text())))
    sys.stdout.write(f"Wrote {PAGE.relative_to(ROOT)}.\n")


if __name__ == "__main__":
    main()
