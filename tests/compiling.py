"""How tests compile: most of them compile for longer than they compute. Imported before JAX starts; imports nothing."""

from importlib.metadata import version

_JAXLIB = tuple(int(part) for part in version("jaxlib").split(".")[:2])
# Little optimization by LLVM; and up to 0.10 the older emitters, which compile in half the time (later ones are gone).
QUICKLY = "--xla_backend_optimization_level=0" + (" --xla_cpu_use_fusion_emitters=false" if _JAXLIB < (0, 11) else "")


def flags(num_devices: int) -> str:
    """XLA_FLAGS for so many virtual CPU devices."""
    return f"--xla_force_host_platform_device_count={num_devices} {QUICKLY}"
