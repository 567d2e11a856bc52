# SPDX-License-Identifier: Apache-2.0
"""Keeps what was read of a repository on disk, for as long as the repository's files stay the same."""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import modulemd, repomd, updateinfo
from .metadata import MODULES, UPDATEINFO, Metadata

#: To be raised whenever what the readers return changes.
FORM = 2

_MAGIC = b"ssmpatch repository metadata\n"
_DIGEST = 32


def load(
    index: repomd.Repomd, *, types: Sequence[str], directory: Path, name: str, read: Callable[[], Metadata]
) -> Metadata:
    """Return the metadata of a repository, from ``directory`` when it was stored there and is still the same.

    The stored form holds for one set of checksums of the repository's files, one interpreter and one version of the
    readers; anything else, and any damage to the file, makes ``read`` read the repository again. What was read with
    damage is not stored. Failing to store is no error.
    """
    key = _key(index, types)
    path = directory / f"{name}.metadata"
    stored = _read(path, key)
    if stored is not None:
        return stored
    metadata = read()
    if not metadata.damage:
        _write(path, key, metadata)
    return metadata


def forget_others(directory: Path, names: Sequence[str]) -> None:
    """Remove the stored metadata of repositories that are no longer there."""
    keep = {f"{name}.metadata" for name in names}
    try:
        for path in directory.glob("*.metadata"):
            if path.name not in keep:
                path.unlink(missing_ok=True)
    except OSError:
        return


def _key(index: repomd.Repomd, types: Sequence[str]) -> bytes:
    found = [index.find(*group) for group in (types, UPDATEINFO, MODULES)]
    words = [f"form {FORM}", sys.version, *(f"{r.type} {r.checksum_type} {r.checksum}" if r else "none" for r in found)]
    return hashlib.sha256("\n".join(words).encode()).digest()


def _read(path: Path, key: bytes) -> Metadata | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    start = len(_MAGIC)
    digest, body = content[start + len(key) : start + len(key) + _DIGEST], content[start + len(key) + _DIGEST :]
    if content[: start + len(key)] != _MAGIC + key or hashlib.blake2b(body, digest_size=_DIGEST).digest() != digest:
        return None
    return _thaw(marshal.loads(body))  # noqa: S302 - our own file in our own directory, whole by its digest


def _write(path: Path, key: bytes, metadata: Metadata) -> None:
    body = marshal.dumps(_freeze(metadata))
    digest = hashlib.blake2b(body, digest_size=_DIGEST).digest()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(handle, "wb") as stream:
                stream.write(b"".join((_MAGIC, key, digest, body)))
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError:
        return


def _freeze(metadata: Metadata) -> tuple[Any, ...]:
    return (
        metadata.offers,
        metadata.replacements,
        metadata.provisions,
        tuple(tuple(advisory) for advisory in metadata.advisories),
        metadata.advised,
        metadata.mentions,
        tuple(tuple(module) for module in metadata.modules),
        tuple(
            (b.name, b.stream, b.version, b.context, b.arch, tuple(map(dict, b.requires)), b.artifacts)
            for b in metadata.builds
        ),
        metadata.default_streams,
        metadata.problems,
    )


def _thaw(frozen: tuple[Any, ...]) -> Metadata:
    offers, replacements, provisions, advisories, advised, mentions, modules, builds, defaults, problems = frozen
    return Metadata(
        offers=offers,
        replacements=replacements,
        provisions=provisions,
        advisories=tuple(map(updateinfo.Advisory._make, advisories)),
        advised=advised,
        mentions=mentions,
        modules=tuple(map(updateinfo.ModuleRef._make, modules)),
        builds=tuple(modulemd.ModuleBuild(*build) for build in builds),
        default_streams=defaults,
        problems=problems,
    )
