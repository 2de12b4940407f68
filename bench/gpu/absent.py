"""Compiles for a GPU that is not there: what XLA would run, without running it.

It needs JAX's plugin for CUDA beside JAX itself, of the same version, with the libraries that it brings:

    pip install --target FOLDER 'jax-cuda13-plugin[with-cuda]==VERSION' 'jax-cuda13-pjrt==VERSION'
    PYTHONPATH=FOLDER python ...
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

HOPPER = {
    "threads_per_block_limit": 1024,
    "threads_per_warp": 32,
    "shared_memory_per_block": 48 * 2**10,
    "shared_memory_per_block_optin": 227 * 2**10,
    "shared_memory_per_core": 228 * 2**10,
    "threads_per_core_limit": 2048,
    "core_count": 132,
    "fpus_per_core": 128,
    "block_dim_limit_x": 2**31 - 1,
    "block_dim_limit_y": 2**16 - 1,
    "block_dim_limit_z": 2**16 - 1,
    "l2_cache_size": 50 * 2**20,
    "clock_rate_ghz": 1.98,
    "registers_per_core_limit": 2**16,
    "registers_per_block_limit": 2**16,
}
"""What both have in common: the data sheet of the chip."""
GPUS = {
    "h100": {"memory_bandwidth": 3352 * 10**9, "device_memory_size": 80 * 2**30},
    "h200": {"memory_bandwidth": 4800 * 10**9, "device_memory_size": 141 * 2**30},
}
COMPUTE_CAPABILITY, CUDA, CUDNN = (9, 0), "13.0.0", (9, 10)
"""CUDA's version is the driver's and the runtime's."""
PLUGINS = ("xla_cuda13", "xla_cuda12")
NO_PLUGIN = "JAX has no plugin for CUDA here: `python -m pydoc bench.gpu.absent` says how to install it."


def find_plugin() -> Path | None:
    """The folder of JAX's plugin for CUDA, where there is one."""
    for name in PLUGINS:
        try:
            found = importlib.util.find_spec(f"jax_plugins.{name}")
        except ModuleNotFoundError:
            return None
        if found is not None and found.origin is not None:
            return Path(found.origin).parent
    return None


def set_environment() -> None:
    """What has to be set before JAX starts: it computes on the processor, and tries no kernels out."""
    flags = [
        os.environ.get("XLA_FLAGS", ""),
        "--xla_gpu_deterministic_ops=true",
        "--xla_gpu_autotune_level=0",
    ]
    plugin = find_plugin()
    tools = next(plugin.parents[1].glob("nvidia/cu*/bin/ptxas"), None) if plugin else None
    if tools is not None:
        flags.append(f"--xla_gpu_cuda_data_dir={tools.parents[1]}")
    os.environ["XLA_FLAGS"] = " ".join(flags).strip()
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"


def describe(name: str) -> str:
    """A GPU of `GPUS` as XLA reads it."""
    lines = [f"  {key}: {value}" for key, value in {**HOPPER, **GPUS[name]}.items()]
    major, minor = COMPUTE_CAPABILITY
    return "\n".join(
        [
            "gpu_device_info {",
            *lines,
            f"  cuda_compute_capability {{ major: {major} minor: {minor} }}",
            *(f'  {key}: "{CUDA}"' for key in ("driver_version", "runtime_version", "compile_time_toolkit_version")),
            "}",
            'platform_name: "CUDA"',
            f"dnn_version_info {{ major: {CUDNN[0]} minor: {CUDNN[1]} }}",
            f'device_description_str: "{name}"',
        ]
    )  # fmt: skip


def place_on(name: str) -> Any:
    """Where arrays are to lie so that a program is compiled for this GPU."""
    import jax
    from jax.experimental import topologies

    topology = topologies.get_topology_desc(platform="cuda", target_config=describe(name), topology="1x1x1")
    return jax.sharding.SingleDeviceSharding(topology.devices[0])


def shapes_of(tree: Any, place: Any) -> Any:
    """The shapes of all arrays of a tree, lying there; what is no array stays as it is."""
    import jax
    import numpy as np

    def shape_of(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array | np.ndarray | np.generic):
            return leaf
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)

    return jax.tree.map(shape_of, tree)
