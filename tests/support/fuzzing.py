# SPDX-License-Identifier: Apache-2.0
"""Hostile input out of real samples: mutations, long repetitions, random text; and budgets of time and memory for it.

The budget is relative to the size of the input: whatever takes more than some microseconds a byte, three times in
turn, is not linear. A call that hangs is ended by an alarm, which Python's regular expressions look for too.
"""

from __future__ import annotations

import contextlib
import signal
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from support.generated import Cases

SAMPLES = Path(__file__).resolve().parents[1] / "data/samples"

#: What documents of any kind are broken with.
WORDS: tuple[bytes, ...] = (
    b"", b" ", b"\n", b"\n\n", b"\t", b"\r\n", b"\0", b"<", b">", b"/>", b"'", b'"', b"&", b"=", b":", b";", b",",
    b"-", b"--", b"--setopt=gpgcheck=0", b"-beta", b"!", b"@core", b"*", b"?", b"[", b"]", b"{", b"}", b"(", b")",
    b"\\", b"$", b"${a}", b"%", b"#", b"~", b"^", b"+", b".", b"..", b"../../../etc/passwd", b"/", b"//", b"\xff\xfe",
    b"\xc3\x28", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"\x1b[31m", b"9" * 30, b"9" * 400, b"-1", b"0",
    b"1e999", b"NaN", b"Infinity", b"0x10", b"\xd9\xa3", b"\xc2\xb2", b"null", b"true", b"[]", b"{}", b"&#0;",
    b"&#xD800;", b"&#x110000;", b"&#99999999999;", b"&lt;", b"&amp;", b"&x;", b"<!--", b"-->", b"<![CDATA[", b"]]>",
    b"<?xml", b"?>", b"<!DOCTYPE x>", b"!!timestamp x", b"!!bool maybe", b"!!int 1:2:3", b"!!float x", b"!!set {a}",
    b"!!binary x", b"!!null x", b"!x y", b"!!python/object/apply:os.system [x]", b"&a ", b"*a", b"<<: ", b"? ", b"| ",
    b"> ", b"- ", b": ", b"9" * 5000, b"a" * 300, b"\xc3\xa4" * 150, b"2024-13-45", b"0000-00-00",
    b"http://user:secret@host/x?token=secret",
)  # fmt: skip


def sample(name: str) -> bytes:
    """The content of a sample."""
    return (SAMPLES / name).read_bytes()


def mutated(random: Random, samples: Sequence[bytes], words: Sequence[bytes] = ()) -> bytes:
    """One hostile document: a sample after some changes, or now and then text that never was one."""
    every = (*WORDS, *words)
    if random.random() < 0.05:
        return b"".join(random.choice(every) for _ in range(random.randint(0, 40)))
    data = random.choice(samples)
    for _ in range(random.choice((1, 1, 1, 2, 3, 5, 9))):
        data = random.choice(_CHANGES)(random, data, every, samples)
    return data


def _place(random: Random, data: bytes) -> int:
    return random.randint(0, len(data))


def _slice(random: Random, data: bytes, most: int = 200) -> tuple[int, int]:
    start = _place(random, data)
    return start, min(len(data), start + random.randint(0, most))


def _inserted(random: Random, data: bytes, words: Sequence[bytes], samples: Sequence[bytes]) -> bytes:
    place = _place(random, data)
    return data[:place] + random.choice(words) + data[place:]


def _put_in_place(random: Random, data: bytes, words: Sequence[bytes], samples: Sequence[bytes]) -> bytes:
    start, end = _slice(random, data, 20)
    return data[:start] + random.choice(words) + data[end:]


def _value_replaced(random: Random, data: bytes, words: Sequence[bytes], samples: Sequence[bytes]) -> bytes:
    """Replace what stands between two separators, such as a value in quotes or a word in a line."""
    place = _place(random, data)
    marks = b"\"'<>\n :=,/"
    start = max(data.rfind(marks[i : i + 1], 0, place) for i in range(len(marks))) + 1
    ends = [end for i in range(len(marks)) if (end := data.find(marks[i : i + 1], place)) != -1]
    return data[:start] + random.choice(words) + data[min(ends, default=len(data)) :]


def _left_out(random: Random, data: bytes, words: Sequence[bytes], samples: Sequence[bytes]) -> bytes:
    start, end = _slice(random, data)
    return data[:start] + data[end:]


def _cut(random: Random, data: bytes, words: Sequence[bytes], samples: Sequence[bytes]) -> bytes:
    return data[: _place(random, data)]


def _doubled(random: Random, data: bytes, words: Sequence[bytes], samples: Sequence[bytes]) -> bytes:
    start, end = _slice(random, data)
    place = _place(random, data)
    return data[:place] + data[start:end] + data[place:]


def _repeated(random: Random, data: bytes, words: Sequence[bytes], samples: Sequence[bytes]) -> bytes:
    """Repeat a short part very often: what is quadratic takes seconds then."""
    start, end = _slice(random, data, 40)
    part = random.choice((data[start:end], random.choice(words), data[start : start + 1])) or b"a"
    place = _place(random, data)
    return data[:place] + part * (random.choice((30, 300, 30_000)) // len(part)) + data[place:]


def _spliced(random: Random, data: bytes, words: Sequence[bytes], samples: Sequence[bytes]) -> bytes:
    other = random.choice(samples)
    return data[: _place(random, data)] + other[_place(random, other) :]


def _bits(random: Random, data: bytes, words: Sequence[bytes], samples: Sequence[bytes]) -> bytes:
    if not data:
        return data
    place = random.randrange(len(data))
    return data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]


_CHANGES: tuple[Callable[[Random, bytes, Sequence[bytes], Sequence[bytes]], bytes], ...] = (
    _inserted, _inserted, _put_in_place, _value_replaced, _value_replaced, _value_replaced, _left_out, _cut, _doubled,
    _repeated, _spliced, _bits,
)  # fmt: skip

_SECONDS = 0.25
_SECONDS_PER_BYTE = 8e-6
_HANG = 20.0
_BYTES = 24 << 20
_BYTES_PER_BYTE = 200


@contextlib.contextmanager
def named(cases: Cases, number: int, data: bytes | str) -> Iterator[None]:
    """Turn what goes wrong with a case into a failure that says how to run it again, and how its input begins."""
    try:
        yield
    except Exception as exc:
        raise AssertionError(f"{cases.again(number)}: {type(exc).__name__}: {str(exc)[:300]}: {data[:200]!r}") from exc


class TooLong(AssertionError):
    """A call went beyond its budget."""


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: Any) -> None:
        raise TooLong(f"no end after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def within_budget(work: Callable[[], object], size: int, *, memory: bool = False, extra: float = 0.0) -> None:
    """Run ``work`` on an input of ``size`` bytes; fail when it takes too long, or with ``memory`` too much of that.

    ``extra`` are seconds for what does not depend on the input, such as the start of a program.
    """
    limit = _SECONDS + extra + size * _SECONDS_PER_BYTE
    taken = []
    for _ in range(3):
        began = time.process_time()
        with _alarm(_HANG + 4 * limit):
            work()
        taken.append(time.process_time() - began)
        if taken[-1] <= limit:
            break
    else:
        raise TooLong(f"{min(taken):.2f} s of processor time for {size} bytes; {limit:.2f} s are allowed")
    if memory:
        tracemalloc.start()
        try:
            work()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        allowed = _BYTES + size * _BYTES_PER_BYTE
        if peak > allowed:
            raise TooLong(f"{peak >> 20} MiB of memory for {size} bytes; {allowed >> 20} MiB are allowed")
