"""Sentences on the shapes: as in training, its words in other sentences, and other words in its sentences.

training    a photo of a big disc, scarlet and plain
reworded    something scarlet shaped like a disc, plain, rather big
synonyms    a photo of a huge ball, crimson and uniform        no such word is in a sentence of training
"""

# Of each attribute two words of the training sentences, and one that none of them has.
WORDS = {
    "small": ("small", "little", "tiny"),
    "large": ("large", "big", "huge"),
    "red": ("red", "scarlet", "crimson"),
    "orange": ("orange", "amber", "tangerine"),
    "yellow": ("yellow", "golden", "lemon"),
    "green": ("green", "emerald", "lime"),
    "cyan": ("cyan", "turquoise", "aqua"),
    "blue": ("blue", "navy", "azure"),
    "purple": ("purple", "violet", "lilac"),
    "pink": ("pink", "rose", "magenta"),
    "solid": ("solid", "plain", "uniform"),
    "striped": ("striped", "lined", "stripy"),
    "dotted": ("dotted", "spotted", "speckled"),
    "checked": ("checked", "chequered", "tartan"),
    "circle": ("circle", "disc", "ball"),
    "ring": ("ring", "hoop", "donut"),
    "square": ("square", "box", "tile"),
    "triangle": ("triangle", "wedge", "pyramid"),
    "star": ("star", "asterisk", "starfish"),
    "heart": ("heart", "valentine", "sweetheart"),
    "cross": ("cross", "plus", "crucifix"),
    "moon": ("moon", "crescent", "sickle"),
}
_TRAINED = (
    "a {size} {colour} {texture} {shape}",
    "a {texture} {colour} {shape}, {size}",
    "a photo of a {size} {shape}, {colour} and {texture}",
    "there is a {colour} {shape}, it is {size} and {texture}",
)
_REWORDED = (
    "one {shape} that looks {size}, painted {texture} in {colour}",
    "something {colour} shaped like a {shape}, {texture}, rather {size}",
)
WORDINGS = {
    "training": (_TRAINED, (0, 1)),
    "reworded": (_REWORDED, (0, 1)),
    "synonyms": (_TRAINED, (2,)),
}


def sentences(name: str, wording: str = "training") -> tuple[str, ...]:
    """Returns the sentences on a class of the shapes, each template with four choices of words or one.

    Args:
      name: of the class: size, colour, texture and shape.
      wording: a key of `WORDINGS`.

    >>> len(sentences("large red solid circle")), sentences("large red solid circle", "reworded")[5]
    (16, 'something red shaped like a disc, solid, rather big')
    >>> sentences("large red solid circle", "synonyms")[0]
    'a huge crimson uniform ball'
    """
    templates, choices = WORDINGS[wording]
    found = []
    for number, template in enumerate(templates):
        for choice in range(4 if len(choices) > 1 else 1):
            # Over a template's four sentences each word stands in two, and the words of two attributes in all pairs.
            places = (choice, choice // 2, choice + number, choice // 2 + choice + number // 2)
            words = [WORDS[word][choices[place % len(choices)]] for word, place in zip(name.split(), places)]
            found.append(template.format(**dict(zip(("size", "colour", "texture", "shape"), words))))
    return tuple(found)
