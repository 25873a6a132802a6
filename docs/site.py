"""A hook of mkdocs: files of the checkout that pages link to become pages, and the repository's address has one place.

A page says `[configs/ale.py](../configs/ale.py)`, which leads to the file where Markdown is read in the checkout. The
site has no such file: it gets a page with its text, which stays out of the navigation and of the search.
"""

import pathlib
import posixpath
import re
import tomllib

from mkdocs.structure import files as files_lib

ROOT = pathlib.Path(__file__).resolve().parent.parent
_LINK = re.compile(r"\]\(\.\./([^)#\s]+)(?:#[^)]*)?\)")


def on_config(config):
    """Takes the address of the repository from pyproject.toml, if it has one."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    config.repo_url = urls.get("Repository")
    return config


def on_files(files, config):
    """Adds a page for every file outside docs/ that a page links to."""
    pages = [page for page in files.documentation_pages() if page.abs_src_path]
    linked = {target for page in pages for target in _LINK.findall(pathlib.Path(page.abs_src_path).read_text())}
    for target in sorted(linked):
        path = ROOT / target
        if path.is_file():
            made = files_lib.File.generated(config, _page_of(target), content=_shown(target, path.read_text()))
            made.inclusion = files_lib.InclusionLevel.NOT_IN_NAV
            files.append(made)
    return files


def on_page_markdown(markdown, page, config, files):
    """Turns links to files of the checkout into links to their pages; others are left for mkdocs to refuse."""
    here = posixpath.dirname(page.file.src_uri)

    def lead(match):
        made = files.get_file_from_path(_page_of(match[1]))
        return match[0] if made is None else f"]({posixpath.relpath(made.src_uri, here or '.')})"

    return _LINK.sub(lead, markdown)


def _page_of(target: str) -> str:
    return f"source/{target}.md"


def _shown(target: str, text: str) -> str:
    language = {".py": "python", ".sh": "bash"}.get(pathlib.PurePath(target).suffix, "")
    fence = "`" * (3 + max(map(len, re.findall("`+", text)), default=0))
    return f"---\nsearch: {{exclude: true}}\n---\n\n# {target}\n\n{fence}{language}\n{text}{fence}\n"
