"""What this machine is, how fast it multiplies matrices, and how much memory a process took."""

import platform
import time
from dataclasses import dataclass
from pathlib import Path

from o1lab.lab import cores, memory

SIZES = {"cpu": 384, "cuda": 8192}  # square matrices that keep each busy


@dataclass(frozen=True)
class Device:
    """A processor or a card. count: cores or cards used; memory: GB usable.

    features: vector width and low-precision instructions that torch finds.
    `str(device)` is the one line that goes into a record.
    """

    kind: str
    name: str
    count: int
    memory: float | None
    features: tuple[str, ...] = ()

    def __str__(self) -> str:
        noun = {"cpu": "core", "cuda": "GPU"}[self.kind]
        parts = [self.name, f"{self.count} {noun}{'s' * (self.count != 1)}", *self.features]
        return ", ".join(parts + ([f"{self.memory:.0f} GB"] if self.memory else []))


def describe(kind: str = "cpu") -> Device:
    """The machine's processor ("cpu") or its first NVIDIA card ("cuda").

    Cores and memory are those that this process may use. ValueError for a card that is not there.
    """
    import torch

    _known(kind)
    if kind == "cpu":
        return Device("cpu", _cpu_name(), cores(), memory(), _cpu_features())
    found = torch.cuda.get_device_properties(0)
    low = ("BF16",) if torch.cuda.is_bf16_supported(including_emulation=False) else ()
    return Device("cuda", found.name, 1, found.total_memory / 1e9, low)


def _known(kind: str) -> None:
    import torch

    if kind not in SIZES:
        raise ValueError(f'device {kind!r}: choose "cpu" or "cuda"')
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError('device "cuda": CUDA finds no NVIDIA card here, use "cpu"')


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine() or "unknown CPU"


def _cpu_features() -> tuple[str, ...]:
    """Vector width as torch uses it, and the two instruction sets that make bf16 pay."""
    import torch

    found = [torch.backends.cpu.get_cpu_capability()]
    found += ["AVX512_BF16"] * torch.cpu._is_avx512_bf16_supported()
    found += ["AMX"] * torch.cpu._is_amx_tile_supported()
    return tuple(name for name in found if name != "DEFAULT")


def peak_matmul(
    dtype: str = "float32",
    kind: str = "cpu",
    shape: tuple[int, int, int] | None = None,
    seconds: float = 0.5,
    seed: int = 0,
) -> float:
    """Best GFLOP/s of (m, k) @ (k, n), two FLOPs a multiply-add, on torch's present threads.

    dtype: "float32", "bfloat16", "float16" or "float64". shape: (m, k, n), default square; a
    model's own shapes give the bound that the model has. The best single product in `seconds`:
    on a CPU each takes about a millisecond, so most fit between other programs' turns, but with
    several threads a busy machine still reads low. ValueError for another dtype or device.
    """
    import torch

    _known(kind)
    if dtype not in ("float32", "bfloat16", "float16", "float64"):
        raise ValueError(f"dtype {dtype!r}: choose float32, bfloat16, float16 or float64")
    m, k, n = shape or (SIZES[kind],) * 3
    rng = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(s, generator=rng).to(kind, getattr(torch, dtype)) for s in ((m, k), (k, n)))
    best = _best_seconds(lambda: torch.mm(a, b), kind, seconds)
    return 2 * m * k * n / best / 1e9


def _best_seconds(product, kind: str, seconds: float) -> float:
    """Seconds of the fastest product; the first only warms up."""
    import torch

    def once() -> float:
        began = time.perf_counter()
        product()
        if kind == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    with torch.inference_mode():
        once()
        best, until = once(), time.perf_counter() + seconds
        while time.perf_counter() < until:
            best = min(best, once())
    return best


def peak_memory() -> float:
    """Peak resident megabytes of this process so far.

    Linux counts it anew for each program; `getrusage`, asked elsewhere, may hold what the parent
    had when it started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource  # not on Windows
    import sys

    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
