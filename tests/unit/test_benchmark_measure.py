# SPDX-License-Identifier: Apache-2.0
"""How the benchmarks measure: in turn, whole process trees, and without what the measuring process itself uses."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def measure() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ssmpatch_benchmark_measure", BENCHMARKS / "measure.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def python(measure: ModuleType, code: str, **more: object) -> object:
    return measure.Program([sys.executable, "-ISc", code], measure.environment(), **more)


def series(measure: ModuleType, *cpu: float) -> object:
    return measure.Series(tuple(measure.Sample(wall=each * 2, cpu=each, memory=each * 100) for each in cpu))


def test_programs_run_in_turn_after_a_round_to_warm_up(measure: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def program(name: str) -> object:
        prepare = lambda: log.open("a").write(f"({name})")  # noqa: E731 - two words
        return python(measure, f"open({str(log)!r}, 'a').write({name!r})", prepare=prepare)

    found = measure.interleave({"a": program("a"), "b": program("b")}, times=2)
    assert log.read_text() == "(a)a(b)b" * 3
    assert {name: len(each.samples) for name, each in found.items()} == {"a": 2, "b": 2}


def test_the_work_of_children_counts_and_the_memory_of_the_measuring_process_does_not(measure: ModuleType) -> None:
    ballast = bytearray(200 << 20)
    child = "sum(range(6_000_000))"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-ISc', {child!r}], check=True)"
    small, busy = measure.run(python(measure, "pass")), measure.run(python(measure, code))
    assert busy.cpu > small.cpu + 0.03
    assert small.memory < 100 < len(ballast) >> 20


def test_a_program_that_fails_stops_the_benchmark_with_its_words(measure: ModuleType) -> None:
    with pytest.raises(SystemExit, match="exit code 3\n.*broken"):
        measure.run(python(measure, "print('broken', flush=True); raise SystemExit(3)"))


def test_comparisons_are_made_round_by_round(measure: ModuleType) -> None:
    # The machine was three times as slow in the second round.
    own, other = series(measure, 1.0, 3.0, 1.0), series(measure, 2.0, 6.0, 2.0)
    row = measure.ratio("", own, other, limit=0.5)
    assert (row.result, row.ok) == ("0.50 x", True)
    assert not measure.ratio("", own, other, limit=0.49).ok
    assert measure.fastest("", own, other, limit=0.5).ok and not measure.fastest("", own, other, limit=0.4).ok
    assert measure.more("", other, own, limit=2.0).ok and not measure.more("", other, own, limit=1.9).ok
    assert measure.memory("", other, own, limit=100).ok and not measure.memory("", other, own, limit=99).ok
    assert measure.faster("", own, 25.0, least=25).ok and not measure.faster("", own, 24.0, least=25).ok
