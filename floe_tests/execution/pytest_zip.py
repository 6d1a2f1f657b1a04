"""pytest as one file that a stock Python imports, made of what is installed here."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from floe_tests.core.errors import ConfigurationError

# pytest, what it imports, and its log of events. They are pure Python.
_PACKAGES = ("pytest", "pluggy", "iniconfig", "packaging", "pygments", "pytest-reportlog")
# Tells how many tests there should be, where it is installed.
_OPTIONAL = ("floe-tests-pytest",)
_METADATA = frozenset({"METADATA", "entry_points.txt"})
# pytest colours Python and differences; the other five hundred languages would fill a ConfigMap.
_LEXERS = "pygments/lexers/"
_USED_LEXERS = frozenset({"__init__.py", "_mapping.py", "python.py", "diff.py"})
# The same content is the same file. Source: https://reproducible-builds.org/docs/archives/
_BEGIN = (1980, 1, 1, 0, 0, 0)


@cache
def pytest_zip() -> bytes:
    """Return the file, for PYTHONPATH.

    Raises:
        ConfigurationError: One of the packages is not installed.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in (*_PACKAGES, *_OPTIONAL):
            found = _distribution(name)
            files = list(_files_of(found)) if found else []
            # A checkout that is installed in place has its metadata here, and its code elsewhere.
            has_code = any(path.endswith(".py") for path, _ in files)
            for path, file in files if has_code else ():
                archive.writestr(zipfile.ZipInfo(path, _BEGIN), file.read_bytes(), 8)
    return content.getvalue()


def _distribution(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        if name in _OPTIONAL:
            return None
        message = (
            f"a suite is `mounted` with pytest, and {name} is not installed here. "
            "`pip install --force-reinstall floe-tests` brings it."
        )
        raise ConfigurationError(message) from error


def _files_of(found: Distribution) -> Iterator[tuple[str, Path]]:
    for each in found.files or ():
        path, file = each.as_posix(), Path(str(found.locate_file(each)))
        is_code = path.endswith(".py") and not path.startswith("..")
        is_metadata = each.parent.name.endswith(".dist-info") and each.name in _METADATA
        is_unused = path.startswith(_LEXERS) and each.name not in _USED_LEXERS
        if (is_code or is_metadata) and not is_unused and file.is_file():
            yield path, file
