"""What is said of this machine, and the peak of its matrix products."""

import subprocess
import sys

import pytest
import torch

from o1lab.lab import cores
from o1lab.measure import hardware
from o1lab.measure.hardware import Device, describe, peak_matmul


def test_the_processor_in_one_line():
    here = describe()
    assert here.kind == "cpu" and here.name and here.count == cores()
    assert str(here).startswith(here.name) and "\n" not in str(here)


def test_the_line_counts_and_leaves_out_what_is_unknown():
    assert str(Device("cpu", "X", 1, None)) == "X, 1 core"
    assert str(Device("cpu", "X", 4, 15.6, ("AVX512",))) == "X, 4 cores, AVX512, 16 GB"
    assert str(Device("cuda", "L4", 1, 24.0, ("BF16",))) == "L4, 1 GPU, BF16, 24 GB"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_peak_is_a_rate_and_leaves_the_global_generator_alone(dtype):
    before = torch.get_rng_state()
    assert 0.001 < peak_matmul(dtype, shape=(64, 32, 48), seconds=0.01) < 1e6
    assert torch.equal(before, torch.get_rng_state())


def test_nonsense_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="choose float32"):
        peak_matmul("int8", seconds=0.01)
    with pytest.raises(ValueError, match='choose "cpu"'):
        describe("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no NVIDIA card"):
            peak_matmul(kind="cuda")


def test_peak_memory_is_that_of_the_process_not_of_its_parent():
    code = "from o1lab.measure import hardware; print(hardware.peak_memory())"
    ballast = bytearray(300_000_000)  # resident in this process, the parent
    ballast[::4096] = b"x" * len(ballast[::4096])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 5 < float(done.stdout) < 200 < hardware.peak_memory()
