"""Pages for a terminal, as Markdown and as HTML, from the same few blocks."""

import base64
import html
import pathlib
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Heading(NamedTuple):
    level: int
    text: str


class Paragraph(NamedTuple):
    text: str


class Bullets(NamedTuple):
    items: tuple[str, ...]


class Table(NamedTuple):
    """Cells of text; `best` are the `(row, column)` to set off, `left` the columns aligned left, the others right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]] = frozenset()
    left: frozenset[int] = frozenset({0})


class Figure(NamedTuple):
    """A PNG file, shown in HTML only."""

    path: pathlib.Path
    caption: str


Block = Heading | Paragraph | Bullets | Table | Figure

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 86rem; margin: 2rem auto;
       padding: 0 1.5rem }
h1 { font-size: 1.6rem; font-weight: 600 } h2 { font-size: 1.25rem; font-weight: 600; margin-top: 2.5rem;
       padding-top: 1rem; border-top: 1px solid #ddd } h3 { font-size: 1rem; font-weight: 600; margin-top: 1.5rem }
p, ul { max-width: 50rem } li { margin: .15rem 0 }
.wide { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem }
th { font-weight: 600; border-bottom: 1px solid #888; vertical-align: bottom } tr + tr td { border-top: 1px solid #eee }
th, td { padding: .3rem .55rem; text-align: right; white-space: nowrap }
th.left, td.left { text-align: left } td.left + td.left { white-space: normal }
th:first-child, td:first-child { padding-left: 0 }
figure { display: inline-block; width: 48%; margin: 1.5rem 1% 0 0 } img { max-width: 100%; height: auto }
figcaption { color: #555; font-size: .9rem }
"""


def as_text(blocks: Iterable[Block], *, width: int = 100) -> str:
    """Returns lines for a terminal; the best cells of a table carry a star.

    >>> table = Table(("method", "ZSL"), (("ale", "57.1"), ("sje", "9.0")), best=frozenset({(0, 1)}))
    >>> print(as_text([Heading(2, "CUB"), table]))
    CUB
    ===
    <BLANKLINE>
    method    ZSL
    ale     57.1*
    sje      9.0
    """
    parts = []
    for block in blocks:
        match block:
            case Heading(level, text):
                text = _line(text)
                parts.append(f"{text}\n{('=' if level < 3 else '-') * len(text)}")
            case Paragraph(text):
                parts.append(textwrap.fill(_line(text), width))
            case Bullets(items):
                options = {"width": width, "initial_indent": "- ", "subsequent_indent": "  "}
                lines = [textwrap.fill(_line(item), **options) for item in items]
                parts.append("\n".join(lines))
            case Table(header, rows, best, left):
                parts.append(_text_table(header, [list(map(_line, row)) for row in rows], best, left))
    return "\n\n".join(parts)


# What begins a tag, and what would end a line or a cell.
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def _line(text: str) -> str:
    """The text on one line, without control characters: names come from files and may hold anything."""
    return _CONTROL.sub(" ", text)


def _markdown(text: str) -> str:
    """The text as Markdown that begins no tag."""
    return _TAG.sub("&lt;", _line(text))


def as_markdown(blocks: Iterable[Block]) -> str:
    """Returns a Markdown page; the best cells of a table are bold.

    >>> table = Table(("method", "ZSL"), (("ale", "57.1"), ("sje", "9.0")), best=frozenset({(0, 1)}))
    >>> print(as_markdown([table]), end="")
    | method | ZSL |
    |:--|--:|
    | ale | **57.1** |
    | sje | 9.0 |
    """
    parts = []
    for block in blocks:
        match block:
            case Heading(level, text):
                parts.append(f"{'#' * level} {_markdown(text)}")
            case Paragraph(text):
                parts.append(_markdown(text))
            case Bullets(items):
                parts.append("\n".join(f"- {_markdown(item)}" for item in items))
            case Table(header, rows, best, left):
                cells = [[_markdown(c).replace("|", "\\|") for c in row] for row in rows]
                cells = [
                    [f"**{c}**" if (i, j) in best else c for j, c in enumerate(row)] for i, row in enumerate(cells)
                ]
                lines = [header, *cells]
                text = [f"| {' | '.join(line)} |" for line in lines]
                parts.append(
                    "\n".join(
                        [text[0], "|" + "".join(":--|" if j in left else "--:|" for j in range(len(header))), *text[1:]]
                    )
                )
    return "\n\n".join(parts) + "\n"


def as_html(blocks: Sequence[Block], *, title: str) -> str:
    """Returns one page with its style and its figures inside; it loads nothing."""
    body = "\n".join(map(_html, blocks))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{html.escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _html(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{html.escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{html.escape(text)}</p>"
        case Bullets(items):
            return "<ul>\n" + "\n".join(f"<li>{html.escape(item)}</li>" for item in items) + "\n</ul>"
        case Table(header, rows, best, left):
            cells = [[html.escape(cell) for cell in row] for row in rows]
            cells = [[f"<b>{c}</b>" if (i, j) in best else c for j, c in enumerate(row)] for i, row in enumerate(cells)]
            lines = [_html_row("th", map(html.escape, header), left), *(_html_row("td", row, left) for row in cells)]
            return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>"
        case Figure(path, caption):
            data, caption = base64.b64encode(path.read_bytes()).decode(), html.escape(caption)
            return (
                f'<figure><img src="data:image/png;base64,{data}" alt="{caption}">'
                f"<figcaption>{caption}</figcaption></figure>"
            )


def _html_row(tag: str, cells: Iterable[str], left: frozenset[int]) -> str:
    marked = (f"<{tag}{' class=left' if j in left else ''}>{cell}</{tag}>" for j, cell in enumerate(cells))
    return f"<tr>{''.join(marked)}</tr>"


def _text_table(header, rows, best, left) -> str:
    marked = [[f"{c}*" if (i, j) in best else c for j, c in enumerate(row)] for i, row in enumerate(rows)]
    # A column with a star keeps its digits in line: the other cells end in a blank.
    starred = {j for _, j in best}
    cells = [header, *marked]
    cells = [[c if j not in starred or c.endswith("*") else f"{c} " for j, c in enumerate(line)] for line in cells]
    widths = [max(len(line[j]) for line in cells) for j in range(len(header))]
    aligned = (
        [c.ljust(w) if j in left else c.rjust(w) for j, (c, w) in enumerate(zip(line, widths))] for line in cells
    )
    return "\n".join("  ".join(line).rstrip() for line in aligned)
