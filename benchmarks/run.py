"""Runs benchmarks and keeps their results: ``python -m benchmarks.run [--only NAME]``."""

import argparse
import json
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import torch

from benchmarks.timing import Result
from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.training.precision import has_bfloat16

RESULTS = Path(__file__).parent / "results.json"

# Module -> the results that its run() returns.
BENCHMARKS = {
    "benchmarks.rsp_training_step": ("rsp_training_step_fp32", "rsp_training_step_bf16"),
    "benchmarks.rsp_pair_loading": (
        "rsp_pair_loading",
        "rsp_pair_loading_small",
        "rsp_pair_loading_decord",
    ),
    "benchmarks.resize_throughput": ("resize_throughput",),
    "benchmarks.crop_resize_normalise": ("crop_resize_normalise",),
    "benchmarks.frame_evaluation": ("carl_retrieval", "carl_tau", "carl_dtw"),
    "benchmarks.carl_augmentation": ("carl_augmentation", "carl_augmentation_blurred"),
    "benchmarks.carl_loading": (
        "carl_loading_cpu",
        "carl_loading_memory",
        "carl_loading_cpu_resized",
        "carl_loading_memory_resized",
    ),
    "benchmarks.propagation_window": ("propagation_window",),
    "benchmarks.propagation_per_frame": ("propagation_per_frame",),
    "benchmarks.propagation_memory": ("propagation_memory",),
    "benchmarks.davis_jf": ("davis_jf",),
    "benchmarks.hdf5_reads": ("hdf5_clip_read", "hdf5_frame_read"),
    "benchmarks.ssim": ("ssim", "ssim_256"),
    "benchmarks.frechet_distance": (
        "frechet_distance",
        "frechet_distance_2048x400",
        "frechet_distance_4000x2048",
    ),
    "benchmarks.code_extraction": ("code_extraction",),
    "benchmarks.voc_sampling": ("voc_sampling",),
    "benchmarks.voc_value_sampling": ("voc_value_sampling",),
    "benchmarks.voc_buffer_memory": ("voc_buffer_memory",),
    "benchmarks.vpp_sampling": ("vpp_sampling", "vpp_sampling_guided"),
    "benchmarks.vpp_policy_sampling": ("vpp_policy_sampling",),
    "benchmarks.vpp_policy_training": ("vpp_policy_training", "vpp_policy_training_flops"),
    "benchmarks.video_latents": ("video_latents",),
    "benchmarks.calvin_items": ("calvin_items",),
    "benchmarks.voc_token_extraction": ("voc_token_extraction", "voc_token_extraction_published"),
    "benchmarks.vpp_optimizer": ("vpp_optimizer",),
    "benchmarks.calvin_sequences": ("calvin_sequences",),
    "benchmarks.serve_policy": ("serve_policy",),
    "benchmarks.fan_out_items": ("fan_out_items", "fan_out_driver"),
    "benchmarks.frame_reading": ("read_pair", "read_16_stride_4", "read_32_in_a_row"),
    "benchmarks.project_costs": (
        "registry_list",
        "nothing_to_do_pretrain_rsp",
        "nothing_to_do_eval_davis_systems",
        "resume_after_kill",
        "ten_million_rows_seconds",
        "ten_million_rows_memory",
    ),
}


def modules_for(only: str | None) -> list[str]:
    """The modules to run for one result's name, a module's own name, or everything."""
    chosen = [
        module
        for module, names in BENCHMARKS.items()
        if only is None or only in names or only == module.rsplit(".", 1)[-1]
    ]
    if not chosen:
        known = ", ".join(name for names in BENCHMARKS.values() for name in names)
        raise SystemExit(f"There is no benchmark {only!r}. Known: {known}.")
    return chosen


def merge(results: dict[str, Result], path: Path) -> None:
    """Adds results to the file; those of other benchmarks stay."""
    earlier = json.loads(path.read_text()) if path.exists() else {}
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(earlier | results, indent=2, sort_keys=True) + "\n")


def machine() -> str:
    """Cores, instruction set and load, as far as they can be known."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    bfloat16 = " with bf16" if has_bfloat16(torch.device("cpu")) else ""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{cores} cores, {torch.backends.cpu.get_cpu_capability()}{bfloat16}{load}"


def table(results: dict[str, Result], missing: Sequence[str] = ()) -> str:
    """One line each, and one below for the peer; ``missing`` are those that this machine cannot run."""
    lines = [f"{'benchmark':<28}{'ratio':>8}{'ours':>12}{'reference':>12}  unit"]
    for name, result in results.items():
        lines.append(
            f"{name:<28}{result['ratio']:>8.2f}{result['ours']:>12.5g}{result['reference']:>12.5g}"
            f"  {result['unit']}"
        )
        lines += _peer_lines(result)
    lines += [f"{name:<28} not on this CPU" for name in missing]
    return "\n".join(lines)


def _peer_lines(result: Result) -> list[str]:
    if "peer" not in result:
        return []
    ratio = f"{result['peer_ratio']:>8.2f}" if "peer_ratio" in result else f"{'':>8}"
    reason = [f"{'':<36}because {result['reason']}"] if "reason" in result else []
    return [f"{'  peer':<28}{ratio}  {result['peer']}: {result['peer_how']}", *reason]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="run just the benchmark that yields this result")
    modules = modules_for(parser.parse_args().only or None)
    results: dict[str, Result] = {}
    print(machine())
    for module in modules:
        print(f"{module} ...", flush=True)
        measured_on = machine()
        found: dict[str, Result] = import_module(module).run()
        for result in found.values():
            result["machine"] = measured_on
        merge(found, RESULTS)
        results |= found
    print(table(results, [name for module in modules for name in BENCHMARKS[module] if name not in results]))


if __name__ == "__main__":
    main()
