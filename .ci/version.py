#!/usr/bin/env python3
"""The project's version: what it is, who names another one, and a new one everywhere in one step.

pyproject.toml has the version; what can read it there does. The places below must spell it out.
"""

from __future__ import annotations

import argparse
import difflib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RELEASE = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}")
NUMBER = r"(?P<version>\d+(?:\.\d+)+[\w.+-]*?)"


@dataclass(frozen=True)
class Place:
    """Lines that name the version.

    Attributes:
        path: Which files, as a regular expression of the whole path.
        line: The line, with the version as a group of that name.
    """

    path: re.Pattern[str]
    line: re.Pattern[str]


def _place(path: str, line: str) -> Place:
    return Place(re.compile(path), re.compile(line, re.MULTILINE))


PROJECT = _place(r"pyproject\.toml", rf'^version = "{NUMBER}"$')
PLACES = (
    PROJECT,
    _place(r"packages/[^/]+/pyproject\.toml", rf'^version = "{NUMBER}"$'),
    _place(r"floe_tests/core/version\.py", rf'^__version__ = "{NUMBER}"$'),
    # Indented: the version of floe-common that a chart depends on.
    _place(r"charts/.+/Chart\.yaml", rf"^ *version: {NUMBER}$"),
    # The operator's appVersion is upstream's.
    _place(r"charts/(?!flink-operator/)[^/]+/Chart\.yaml", rf"^appVersion: {NUMBER}$"),
    # What GitLab's component installs.
    _place(r"templates/.+\.yml", rf'"floe-tests\S*=={NUMBER}"'),
    _place(r"docs/ci-elsewhere\.md", rf"floe-tests/tier@{NUMBER}$"),
    # The project's images, and their manifests in a registry. The changelog tells of old ones, the
    # tests of releases make up their own, and 9.9.9 is the tag that is asked for in vain.
    _place(
        r"(?!CHANGELOG\.md|tests/functional/ci/).+",
        r"ghcr\.io/floe/[a-z-]+(?::|/manifests/)(?!9\.9\.9)(?P<version>\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.]+)?)",
    ),
)
CHANGELOG = Path("CHANGELOG.md")


class VersionError(Exception):
    """What keeps the version from being read or set, for people."""


def tracked(root: Path) -> Iterator[Path]:
    """Return the checkout's text files, new ones too, as paths from its root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout.decode()
    for name in sorted(set(listed.split("\0")) - {""}):
        path = root / name
        if path.is_file() and not path.is_symlink() and b"\0" not in path.read_bytes()[:8192]:
            yield Path(name)


def current(root: Path) -> str:
    """Return the version in pyproject.toml."""
    found = PROJECT.line.search((root / "pyproject.toml").read_text(encoding="utf-8"))
    if found is None:
        raise VersionError("pyproject.toml has no line 'version = \"X.Y.Z\"'")
    return found["version"]


def disagreements(root: Path) -> list[str]:
    """Return the lines that name another version, as PATH:LINE: VERSION."""
    version = current(root)
    return [
        f"{path}:{text.count(chr(10), 0, found.start('version')) + 1}: {found['version']}"
        for path in tracked(root)
        for text in [_read(root / path)]
        for place in PLACES
        if place.path.fullmatch(path.as_posix())
        for found in place.line.finditer(text)
        if found["version"] != version
    ]


def changes(root: Path, version: str) -> dict[Path, tuple[str, str]]:
    """Return the files that a version changes: what they say, and what they will say."""
    changed: dict[Path, tuple[str, str]] = {}
    for path in tracked(root):
        old = new = _read(root / path)
        for place in PLACES:
            if place.path.fullmatch(path.as_posix()):
                new = place.line.sub(lambda found: _with(found, version), new)
        if path == CHANGELOG:
            new = released(new, version)
        if new != old:
            changed[path] = old, new
    return changed


def released(changelog: str, version: str) -> str:
    """Return the changelog with what is unreleased under the version's own heading."""
    if f"## [{version}]" in changelog:
        return changelog
    heading = f"## [{version}] - {datetime.now(UTC).date().isoformat()}"
    return changelog.replace("## [Unreleased]\n", f"## [Unreleased]\n\n{heading}\n", 1)


def _with(found: re.Match[str], version: str) -> str:
    start, end = (at - found.start() for at in found.span("version"))
    return f"{found[0][:start]}{version}{found[0][end:]}"


def _read(path: Path) -> str:
    # As it is: line ends are the file's own, and a file in another encoding comes back the same.
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _set(root: Path, version: str, *, dry_run: bool) -> None:
    if not RELEASE.fullmatch(version):
        raise VersionError(f"{version!r} is no version: X.Y.Z is, such as 0.2.0")
    changed = changes(root, version)
    for path, (old, new) in changed.items():
        if dry_run:
            lines = difflib.unified_diff(
                old.splitlines(keepends=True),
                new.splitlines(keepends=True),
                f"a/{path}",
                f"b/{path}",
                n=0,
            )
            sys.stdout.writelines(lines)
        else:
            (root / path).write_bytes(new.encode("utf-8", "surrogateescape"))
    done = "would change" if dry_run else "changed"
    sys.stdout.write(f"{version}: {len(changed)} files {done}\n")


def main(arguments: list[str] | None = None) -> int:
    """Print, check or set the version."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout than this one")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("show", help="print the version")
    commands.add_parser("check", help="fail when a file names another version")
    setting = commands.add_parser("set", help="change the version everywhere")
    setting.add_argument("version", help="X.Y.Z")
    setting.add_argument("--dry-run", action="store_true", help="print the diff, change nothing")
    options = parser.parse_args(arguments)
    try:
        if options.command == "set":
            _set(options.root, options.version, dry_run=options.dry_run)
        elif options.command == "show":
            sys.stdout.write(f"{current(options.root)}\n")
        elif others := disagreements(options.root):
            version = current(options.root)
            sys.stderr.write(
                f"the version is {version}, and these lines name another: "
                f"make release VERSION={version} changes them\n"
            )
            sys.stderr.writelines(f"{other}\n" for other in others)
            return 1
    except VersionError as error:
        sys.stderr.write(f".ci/version.py: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
