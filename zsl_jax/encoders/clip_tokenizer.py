"""CLIP's byte-pair encoding through the package `tokenizers`, from any of the forms in which it is published.

    tokenizer.json                      of Hugging Face
    vocab.json, merges.txt              of Hugging Face, older
    bpe_simple_vocab_16e6.txt[.gz]      of OpenAI and open_clip: a merge per line

Words, single digits and runs of other signs are cut into byte pairs, between a start and an end token. Before that a
text is cleaned, as each publisher does it: Hugging Face brings it to the composed Unicode form, white space to single
blanks, and each letter to lower case; OpenAI has it mended by the package `ftfy` and reads HTML entities, twice. For
plain text in ASCII the two are the same.

Reference: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units", ACL 2016; Radford et
al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021.
"""

import gzip
import html
import json
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from zsl_jax import errors

START, END = "<|startoftext|>", "<|endoftext|>"
VOCABULARIES = ("bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt")
_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_PLAIN, _ENTITY = re.compile(r"[ -~\t\n\r]*"), re.compile(r"&#?\w{1,24};", re.ASCII)
_MERGES = 49152 - 256 - 2  # OpenAI's file holds more, which their model does not use


def load(folder: pathlib.Path) -> tuple[Any, bytes]:
    """Returns the tokenizer of a folder, and the bytes that it was read from.

    Raises:
      UserError: no tokenizer, a damaged one, or no package to read it.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise errors.UserError("a text tower needs the package tokenizers: pip install 'zsl-jax[towers]'") from error
    found = next(
        (folder / name for name in ("tokenizer.json", "vocab.json", *VOCABULARIES) if (folder / name).is_file()), None
    )
    if found is None:
        raise errors.UserError(
            f"{folder} has no tokenizer: tokenizer.json, vocab.json with merges.txt, or {VOCABULARIES[0]} is wanted"
        )
    content = found.read_bytes()
    try:
        if found.name == "tokenizer.json":
            return tokenizers.Tokenizer.from_str(content.decode()), content
        if found.name == "vocab.json":
            vocabulary, merges = json.loads(content), (folder / "merges.txt").read_text(encoding="utf-8")
            content += merges.encode()
            return made(vocabulary, _pairs(merges.splitlines())), content
        text = gzip.decompress(content) if found.suffix == ".gz" else content
        merges = _pairs(text.decode().splitlines()[1:][:_MERGES])
        return _Cleaning(made(vocabulary_of(merges), merges, words=f"(?i){_WORDS}", normalized=False)), content
    except Exception as error:  # the package raises plain Exceptions
        raise errors.UserError(f"{found} cannot be read: {' '.join(str(error).split())[:200]}") from error


def cleaned(text: str) -> str:
    """Returns a text as OpenAI's models read it: mended by `ftfy`, HTML entities as signs, single blanks, lower case.

    Raises:
      UserError: the package `ftfy` is missing, and the text has what it may change.

    >>> cleaned("Fish  &amp CHIPS")
    'fish & chips'
    """
    if not _PLAIN.fullmatch(text) or _ENTITY.search(text):
        try:
            import ftfy
        except ImportError as error:
            raise errors.UserError(
                f"{text[:40]!r} is not plain ASCII, and {VOCABULARIES[0]} goes with texts that the package ftfy has "
                "mended: pip install 'zsl-jax[towers]'"
            ) from error
        text = ftfy.fix_text(text)
    return " ".join(html.unescape(html.unescape(text)).split()).lower()


class _Cleaning:
    """A tokenizer whose texts are cleaned first; all else is the tokenizer's."""

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer

    def encode(self, text: str, **options: Any) -> Any:
        return self._tokenizer.encode(cleaned(text), **options)

    def encode_batch(self, texts: Sequence[str]) -> list[Any]:
        return self._tokenizer.encode_batch([cleaned(text) for text in texts])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def made(
    vocabulary: dict[str, int], merges: Sequence[tuple[str, str]], *, words: str = _WORDS, normalized: bool = True
) -> Any:
    """Returns the tokenizer of a vocabulary and its merges.

    Args:
      vocabulary: numbers of the tokens.
      merges: of two tokens, those that were learned first before the others.
      words: the pattern that finds words.
      normalized: whether texts are cleaned as Hugging Face does.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    model = models.BPE(vocabulary, list(merges), unk_token=END, end_of_word_suffix="</w>")
    tokenizer = Tokenizer(model)
    if normalized:
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
        )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in (START, END)])
    ends = ((END, vocabulary[END]), (START, vocabulary[START]))
    tokenizer.post_processor = processors.RobertaProcessing(*ends, add_prefix_space=False, trim_offsets=False)
    return tokenizer


def vocabulary_of(merges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Returns OpenAI's numbering: bytes, bytes that end a word, merges, start and end."""
    printed = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    signs = [chr(x) for x in printed] + [chr(256 + number) for number in range(256 - len(printed))]
    words = [*signs, *(f"{sign}</w>" for sign in signs), *("".join(pair) for pair in merges), START, END]
    return {word: number for number, word in enumerate(words)}


def _pairs(lines: Sequence[str]) -> list[tuple[str, str]]:
    pairs = [tuple(line.split()) for line in lines if line.strip() and not line.startswith("#version")]
    wrong = [pair for pair in pairs if len(pair) != 2]
    if wrong:
        raise ValueError(f"{' '.join(wrong[0])!r} is no merge of two parts")
    return pairs
