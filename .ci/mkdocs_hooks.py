"""MkDocs hooks: pages that lie outside docs/ are pages of the site, and links lead to them.

A link is written for whoever reads the file where it lies, such as `../results/LOG.md` in a page of
docs/. In the site it leads to that file's page. A link to a file that is no page loses its address.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "results/LOG.md": "lab_book.md",
}
"""Path in the repository -> path in the site."""

_SOURCES = {page: source for source, page in OUTSIDE.items()}
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/."""
    for source, page in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let relative links lead to pages of the site."""
    here = page.file.src_uri
    source = _SOURCES.get(here, f"docs/{here}")

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["path"]))
        in_site = OUTSIDE.get(target, target.removeprefix("docs/"))
        if in_site == target:
            if not (ROOT / target).exists():
                raise FileNotFoundError(f"{source} links to {target}, which does not exist.")
            return link["text"]
        address = posixpath.relpath(in_site, posixpath.dirname(here) or ".")
        return f"[{link['text']}]({address}{link['anchor'] or ''})"

    return _LINK.sub(moved, markdown)
