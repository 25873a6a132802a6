"""Writes tests/clip_tokens.json: what open_clip and transformers make of hard strings, and the merges that these need.

    pip install "PATH[torch,towers]"
    python tests/make_clip_tokens.py

OpenAI's vocabulary is the one that comes with open_clip. A merge stands with the number of its line: the token that it
makes has the number 512 + line.
"""

import itertools
import json
import pathlib

TOKENS = pathlib.Path(__file__).with_name("clip_tokens.json")
CONTEXT = 77
TEXTS = (
    "a photo of a dog.",
    "A  PHOTO of\ta DOG!!!\n",
    "it's we'll I'M they'RE don't",
    "caf\u00e9 cafe\u0301",
    "\U0001f99c\U0001f308 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd",
    "\u65e5\u672c\u8a9e\u306e\u30c6\u30b9\u30c8",
    "\u0395\u039b\u039b\u0397\u039d\u0399\u039a\u039f\u03a3 \u039f\u0394\u039f\u03a3",  # a final sigma
    "\u0130stanbul Stra\u00dfe GRO\u1e9eE",
    "fish &amp; chips &lt;b&gt; &amp;amp; &eacute; &#233;",
    "<p>e&#769;</p>",
    "no\u00a0break\u2003em\u3000ideographic",
    "1234567 3.14 10,000 \u00bd \u0663 \u2167 x\u00b2",
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "___a_b__ --- ... ?!?!",
    "\u201ccurly\u201d \u2018quotes\u2019 \u2014 dash \u2026",
    "sch\u00c3\u00b6n \u00e2\u20ac\u2122",  # UTF-8 that was read as Latin-1
    "\ufb01ne \ufb02uff \uff28\uff25\uff2c\uff2c\uff2f",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea \u0939\u093f\u0928\u094d\u0926\u0940",
    "zero\u200bwidth soft\u00adhyphen bom\ufeff",
    "\x1b[31mred\x1b[0m \x07bell",
    "'s 's's 'S '\u017f",
    "#hashtag @user http://a.b/c?d=e&f=g 100% $5 \u20ac5",
    "",
    "dog " * 100,
)


def made() -> dict:
    """Returns the merges, and for each text the tokens of both packages."""
    from open_clip import tokenizer as open_clip
    from transformers import CLIPTokenizer

    theirs = open_clip.SimpleTokenizer()
    ranks = {pair: line for pair, line in theirs.bpe_ranks.items() if len(pair) == 2}
    ends = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocabulary = {ends.get(token, token): number for token, number in theirs.encoder.items()}
    face = CLIPTokenizer(vocab=vocabulary, merges=list(ranks))
    found = {
        "open_clip": [_ids(theirs([text])[0].tolist(), theirs.eot_token_id) for text in TEXTS],
        "transformers": [face(text, truncation=True, max_length=CONTEXT)["input_ids"] for text in TEXTS],
    }
    used = set()
    printed = theirs.byte_encoder
    cleaned = [theirs.clean_fn(text) for text in TEXTS]
    normalized = [face.backend_tokenizer.normalizer.normalize_str(text) for text in TEXTS]
    for word in set(itertools.chain.from_iterable(theirs.pat.findall(text) for text in cleaned + normalized)):
        signs = "".join(printed[byte] for byte in word.encode())
        used |= _merges([*signs[:-1], f"{signs[-1]}</w>"], ranks)
    return {
        "context": CONTEXT,
        "merges": [[ranks[pair], " ".join(pair)] for pair in sorted(used, key=ranks.get)],
        "ends": [theirs.sot_token_id, theirs.eot_token_id],
        "texts": [
            {"text": text, **{package: ids[place] for package, ids in found.items()}}
            for place, text in enumerate(TEXTS)
        ],
    }


def _merges(parts: list[str], ranks: dict[tuple[str, str], int]) -> set[tuple[str, str]]:
    """The merges that a word goes through, the one that was learned first before the others."""
    used = set()
    while pairs := [pair for pair in itertools.pairwise(parts) if pair in ranks]:
        first = min(pairs, key=ranks.get)
        used.add(first)
        joined: list[str] = []
        for part in parts:
            if joined and (joined[-1], part) == first:
                joined[-1] += part
            else:
                joined.append(part)
        parts = joined
    return used


def _ids(padded: list[int], end: int) -> list[int]:
    return padded[: padded.index(end) + 1]


if __name__ == "__main__":
    TOKENS.write_text(json.dumps(made()) + "\n")
    print(f"wrote {TOKENS}: {TOKENS.stat().st_size} bytes")
