"""A hook of mkdocs: formulas in plain text become MathML, which browsers draw by themselves; nothing is loaded.

    mean_{j != i} exp(-scale * ||z_i - z_j||^2)

Docstrings keep formulas that one can read in a terminal; `mathml` reads this notation: _ and ^ with one word, a number,
or a group in braces (^ also one in parentheses), names of Greek letters, `||` for norms, ` . ` for products, words.
"""

import html
import re
from collections.abc import Iterator

# Pages with formulas; elsewhere code is left as it is.
PAGES = ("concepts.md", "methods.md", "losses.md", "bounds.md")
REFERENCE = tuple(f"api/{name}.md" for name in ("losses", "metrics", "similarity", "methods", "bounds"))

_GREEK = {
    **{"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "kappa": "κ", "lambda": "λ"},
    **{"mu": "μ", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "Phi": "Φ"},
}
_NAMED = {"sum": "∑", "grad": "∇", "inf": "∞"}
_LIMITS = ("sum", "mean", "max", "min", "argmin", "argmax")
_FUNCTIONS = (
    *_LIMITS,
    *("log", "exp", "cos", "arccos", "tanh", "relu", "sigmoid", "softmax"),
    *("digamma", "diag", "KL", "BCE", "sg", "floor", "sqrt"),
)
_SIGNS = {
    "!=": "≠",
    "<=": "≤",
    ">=": "≥",
    "<-": "←",
    "-=": "−=",
    "...": "…",
    "-": "−",
    "*": "⋅",
    ".": "⋅",
    "||": "‖",
}
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_NO_NAME = "|".join([*_GREEK, *_LIMITS])  # what follows their underscore is a subscript
_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)"
    rf"|(?P<word>(?!(?:{_NO_NAME})_)[A-Za-z]{{3,}}(?:_[A-Za-z]{{3,}})+|[A-Za-z]+(?:-[A-Za-z]+)*(?:'s)?'*|`[^`]*`)"
    r"|(?P<sign>!=|<=|>=|<-|-=|\.\.\.|\|\||.)"
)
_BLOCK = re.compile(
    r'(?:<div class="highlight">)?<pre>(?:<span></span>)?<code>(?P<text>[^<]*)</code></pre>(?:</div>)?', re.DOTALL
)
_CODE = re.compile(
    r"[\"#─]|--|[A-Za-z]\.[A-Za-z]|^\s*(?:(?:python|zsl-jax|bash|pip|return|import|from|def)\b|>>>)", re.MULTILINE
)
_MATHS = re.compile(r" (?:=|<=|!=|<-) |\|\||_\{")
_SUBSCRIPT = re.compile(r"_[a-z]\b")  # in a block of its own; among words `embeddings_a` is a name
_INLINE = re.compile(r"<code>(?P<text>[^<]*)</code>")
_CELLS = re.compile(r"(?P<name><tr>\s*<td>.*?</td>\s*)<td>(?P<formula>.*?)</td>", re.DOTALL)


def on_page_content(content, page, config, files):
    """Replaces the formulas of a page."""
    source = page.file.src_uri
    if source not in PAGES + REFERENCE:
        return content
    content = _BLOCK.sub(_block, content)
    if source == "losses.md":  # the second column of its tables is formulas and what stands in them
        content = _CELLS.sub(lambda row: f"{row['name']}<td>{_INLINE.sub(_typeset, row['formula'])}</td>", content)
    return _INLINE.sub(_inline, content)


def is_formula(text: str) -> bool:
    """Whether plain text is a formula, and no command, program or table."""
    return _CODE.search(text) is None and _MATHS.search(text) is not None


def _block(found: re.Match) -> str:
    text = html.unescape(found["text"])
    is_one = is_formula(text) or (_CODE.search(text) is None and _SUBSCRIPT.search(text) is not None)
    return mathml(text.strip("\n"), display=True) if is_one else found[0]


def _inline(found: re.Match) -> str:
    return _typeset(found) if is_formula(html.unescape(found["text"])) else found[0]


def _typeset(found: re.Match) -> str:
    return mathml(html.unescape(found["text"]))


def mathml(text: str, *, display: bool = False) -> str:
    """Returns a formula as MathML, one row for each of its lines.

    >>> mathml("phi_c")
    '<math><msub><mrow><mi>φ</mi></mrow><mrow><mi>c</mi></mrow></msub></math>'
    """
    rows = [_Reader(line, display).row() for line in text.splitlines()]
    if len(rows) > 1:
        cells = "".join(f'<mtr><mtd style="text-align: left">{row}</mtd></mtr>' for row in rows)
        rows = [f"<mtable displaystyle='true'>{cells}</mtable>"]
    return f'<math display="block">{rows[0]}</math>' if display else f"<math>{rows[0]}</math>"


class _Reader:
    """Reads the tokens of one line from left to right."""

    def __init__(self, line: str, display: bool):
        self.tokens = [(found.lastgroup, found[0]) for found in _TOKEN.finditer(line)]
        self.place, self.display = 0, display

    def row(self, end: str | None = None, *, in_script: bool = False) -> str:
        """Reads up to a closing bracket, or to the end."""
        return "".join(self._atoms(end, in_script))

    def _atoms(self, end: str | None, in_script: bool) -> Iterator[str]:
        start, before = True, ""
        while self.place < len(self.tokens):
            kind, text = self.tokens[self.place]
            if text == end:
                return
            if kind == "space":
                self.place += 1
                yield self._space(text, before)
                continue
            prefix = start or before in ("(", "[", ",", ";", "=", "+", "-", "<-", "<=", ">=", "!=")
            base, takes_limits = self._atom(prefix, in_script)
            yield self._scripts(base, takes_limits and self.display)
            start, before = False, self.tokens[self.place - 1][1]

    def _space(self, text: str, before: str) -> str:
        if len(text) > 1:
            return f'<mspace width="{min(0.5 * len(text), 8):g}em"/>'
        following = self.tokens[self.place][0] if self.place < len(self.tokens) else "sign"
        is_product = re.fullmatch(r"[\w')\]}`-]*[\w')\]}`]|\|+", before) and following in ("word", "number")
        return '<mspace width="0.25em"/>' if is_product else ""

    def _peek(self, text: str) -> bool:
        return self.place < len(self.tokens) and self.tokens[self.place][1] == text

    def _is_spaced(self) -> bool:
        """Whether the token before the place has a space on both sides."""
        before = self.tokens[self.place - 2][0] if self.place > 1 else "space"
        after = self.tokens[self.place][0] if self.place < len(self.tokens) else "space"
        return before == after == "space"

    def _atom(self, prefix: bool, in_script: bool) -> tuple[str, bool]:
        """Reads one symbol, word or group: its MathML, and whether a subscript stands below it."""
        kind, text = self.tokens[self.place]
        self.place += 1
        if kind == "number":
            return f"<mn>{text}</mn>", False
        if kind == "word":
            return self._word(text, in_script)
        if text in ("(", "[") and self._closes(text):
            inside = self.row(_CLOSES[text])
            self.place += 1
            return f"<mrow><mo>{text}</mo><mrow>{inside}</mrow><mo>{_CLOSES[text]}</mo></mrow>", False
        return self._sign(text, prefix), False

    def _word(self, text: str, in_script: bool) -> tuple[str, bool]:
        name = text.rstrip("'")
        primes = "′" * (len(text) - len(name))
        if name == "sqrt" and self._peek("("):
            self.place += 1
            inside = self.row(")")
            self.place += 1
            return f"<msqrt>{inside}</msqrt>", False
        if name == "in" and in_script and self.tokens[self.place - 2][0] == "space":
            return "<mo>∈</mo>", False
        if name in _NAMED:
            return f"<mo>{_NAMED[name]}</mo>", name in _LIMITS
        if name in _GREEK or len(name) == 1:
            return f"<mi>{_GREEK.get(name, name)}{primes}</mi>", False
        if name in _FUNCTIONS:
            return f'<mi mathvariant="normal">{name}</mi>', name in _LIMITS
        if in_script and len(name) <= 3:
            return "".join(f"<mi>{letter}</mi>" for letter in name), False
        return f"<mtext>{html.escape(text.strip('`'))}</mtext>", False

    def _sign(self, text: str, prefix: bool) -> str:
        if text in ("||", "|"):
            bar = _SIGNS.get(text, "|")
            space = "0.35em" if self._is_spaced() else "0"
            return f'<mo stretchy="false" lspace="{space}" rspace="{space}">{bar}</mo>'
        if text == "." and not self._is_spaced():
            return "<mo>.</mo>"
        if text == "*" and not self._is_spaced():
            return "<mo>*</mo>"
        form = ' form="prefix"' if text == "-" and prefix else ""
        return f"<mo{form}>{html.escape(_SIGNS.get(text, text))}</mo>"

    def _closes(self, text: str) -> bool:
        """Whether the bracket before the place is closed on this line."""
        depth = 1
        for _, other in self.tokens[self.place :]:
            depth += {text: 1, _CLOSES[text]: -1}.get(other, 0)
            if not depth:
                return True
        return False

    def _scripts(self, base: str, below: bool) -> str:
        """Reads the _ and ^ that follow a symbol."""
        lower = upper = None
        while self.place < len(self.tokens):
            sign = self.tokens[self.place][1]
            if sign == "_" and lower is None:
                self.place += 1
                lower = self._script()
            elif sign == "^" and upper is None:
                self.place += 1
                if self.place == len(self.tokens) or self.tokens[self.place][1] in ("_", ")", ",") or self._peek(" "):
                    base = f'<mover accent="true"><mrow>{base}</mrow><mo>^</mo></mover>'
                else:
                    upper = self._script()
            else:
                break
        if lower is None and upper is None:
            return base
        if below and upper is None:
            return f"<munder><mrow>{base}</mrow><mrow>{lower}</mrow></munder>"
        parts = "".join(f"<mrow>{part}</mrow>" for part in (base, lower, upper) if part)
        name = "msubsup" if lower and upper else "msub" if lower else "msup"
        return f"<{name}>{parts}</{name}>"

    def _script(self) -> str:
        if self.place == len(self.tokens):
            return "<mo>_</mo>"
        text = self.tokens[self.place][1]
        if text in ("{", "(") and self._brace(text):
            inside = self.row(_CLOSES[text], in_script=True)
            self.place += 1
            return inside
        base, _ = self._atom(prefix=True, in_script=True)
        return base

    def _brace(self, text: str) -> bool:
        self.place += 1
        if self._closes(text):
            return True
        self.place -= 1
        return False
