"""Runs benchmarks and keeps their results: ``python -m benchmarks.run [--only NAME]``."""

import argparse
import json
from importlib import import_module
from pathlib import Path

from benchmarks.timing import Result
from vidrep_pipelines.common.atomic import atomic_file

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
    "benchmarks.ssim": ("ssim",),
    "benchmarks.frechet_distance": ("frechet_distance",),
    "benchmarks.code_extraction": ("code_extraction",),
    "benchmarks.voc_sampling": ("voc_sampling",),
    "benchmarks.voc_value_sampling": ("voc_value_sampling",),
    "benchmarks.voc_buffer_memory": ("voc_buffer_memory",),
    "benchmarks.vpp_sampling": ("vpp_sampling", "vpp_sampling_guided"),
    "benchmarks.vpp_policy_sampling": ("vpp_policy_sampling",),
    "benchmarks.vpp_policy_training": ("vpp_policy_training", "vpp_policy_training_flops"),
    "benchmarks.video_latents": ("video_latents_published", "video_latents_memory_map"),
    "benchmarks.calvin_items": ("calvin_items_published", "calvin_items_memory_map"),
    "benchmarks.voc_token_extraction": ("voc_token_extraction", "voc_token_extraction_published"),
    "benchmarks.vpp_optimizer": ("vpp_optimizer",),
    "benchmarks.calvin_sequences": ("calvin_sequences",),
    "benchmarks.serve_policy": ("serve_policy",),
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


def table(results: dict[str, Result]) -> str:
    lines = [f"{'benchmark':<28}{'ratio':>8}{'ours':>12}{'reference':>12}  unit"]
    for name, result in results.items():
        lines.append(
            f"{name:<28}{result['ratio']:>8.2f}{result['ours']:>12.5g}{result['reference']:>12.5g}"
            f"  {result['unit']}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="run just the benchmark that yields this result")
    results: dict[str, Result] = {}
    for module in modules_for(parser.parse_args().only or None):
        print(f"{module} ...", flush=True)
        found = import_module(module).run()
        merge(found, RESULTS)
        results |= found
    print(table(results))


if __name__ == "__main__":
    main()
