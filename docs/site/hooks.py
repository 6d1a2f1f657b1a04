"""What `make site` does beside mkdocs: links out of docs/, pages by a pattern, diagrams.

The pages are written for a reader of the repository: they link to files beside docs/, and GitHub
draws their diagrams. Here such a link leads to the repository's web address, and fails the build
where the file is gone; the program that draws diagrams comes with the site, not from a CDN.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# mkdocs counts the warnings of loggers below its own, and --strict fails on them.
_LOG = logging.getLogger("mkdocs.hooks.site")
_LINK = re.compile(r"(?P<before>\]\()(?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?(?=[)\s])")
_FETCHED = re.compile(
    r'<(?:script|img|iframe)[^>]*\ssrc="https?:[^>]*>'
    r'|<link[^>]*rel="?(?:stylesheet|preconnect)[^>]*href="https?:[^>]*>'
    r'|<a[^>]*data-md-component="source"[^>]*>'
)
_FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2", re.MULTILINE | re.DOTALL)


def on_config(config: Any) -> Any:
    """Put the pages of a pattern (`decisions/*.md`) into the navigation."""
    config.nav = _expanded(config.nav)
    return config


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Make links to files outside docs/ lead to the repository."""
    folder = posixpath.dirname(page.file.src_uri)
    source = f"{config.extra['repository']}/{{kind}}/{config.extra['source_ref']}/{{path}}"

    def led(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", folder, match["path"]))
        if path.startswith("docs/") and not (ROOT / path).is_dir():
            return match[0]  # mkdocs' own to check
        if path.startswith("..") or not (ROOT / path).exists():
            _LOG.warning("%s links to %s, which is not there", page.file.src_uri, match["path"])
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return match["before"] + source.format(kind=kind, path=path) + (match["anchor"] or "")

    parts: list[str] = []
    end = 0
    for fence in _FENCE.finditer(markdown):
        parts += [_LINK.sub(led, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, _LINK.sub(led, markdown[end:])])


def on_page_content(html: str, *, page: Any, files: Any, **_: Any) -> str:
    """Load the program of the diagrams on the pages that have some: it has 3.5 MB."""
    if 'class="mermaid"' not in html:
        return html
    programs = [each for each in files if re.fullmatch(r"site/mermaid-.*\.js", each.src_uri)]
    if len(programs) != 1:
        _LOG.warning(
            "docs/site has %d programs for diagrams: `make site` brings one", len(programs)
        )
        return html
    return f'{html}\n<script src="{programs[0].url_relative_to(page.file)}"></script>\n'


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Refuse what a browser would fetch from elsewhere: pages are read without the internet too."""
    for tag in _FETCHED.findall(output):
        _LOG.warning("%s fetches something from elsewhere: %s", page.file.src_uri, tag)
    return output


Entry: TypeAlias = "str | list[Entry] | dict[str, Entry]"


def _expanded(entry: Entry) -> Entry:
    if isinstance(entry, list):
        return [_expanded(each) for each in entry]
    if isinstance(entry, dict):
        return {title: _expanded(each) for title, each in entry.items()}
    if "*" in entry:
        return [str(path.relative_to(DOCS)) for path in sorted(DOCS.glob(entry))]
    return entry
