"""The tables of a config's keys: default, what it says, and what it may be. `zsl_jax.config` makes configs of them."""

from typing import Any, NamedTuple

from zsl_jax import methods
from zsl_jax.class_encoders import norms, wordnet
from zsl_jax.data import npz, streaming
from zsl_jax.encoders import class_sources, described, mobilenet, property_sources, scaling, vit, word_sources
from zsl_jax.rules import STRETCH, Rule, number, one_of, whole, wholes
from zsl_jax.training import optimizers, protocols

PLACE = Rule(lambda x: isinstance(x, str), "a path")
_NO_FOLDERS = ("", "off", "on", "no", "yes", "false", "true", "0", "1")  # who says one of these means no folder


class Key(NamedTuple):
    """A key that every config has."""

    default: Any
    says: str
    rule: Rule


KEYS = {
    # Random keys are made of 32 bits: seeds 2^32 apart would be the same.
    "seed": Key(0, "seed of every random choice", whole(0, bits=32)),
    "unseen_classes": Key(
        "",
        "names of the unseen classes, with commas between them, or a file with one per line; empty: as the data says",
        Rule(lambda x: isinstance(x, str), "names or a file"),
    ),
    "protocol": Key("gzsl", "what is asked and reported", one_of(tuple(protocols.PROTOCOLS))),
    "train.epochs": Key(30, "passes over the training images at most; validation chooses among them", whole(1)),
    "train.batch_size": Key(64, "images per step, over all devices", whole(1)),
    "train.per_class": Key(
        0, "images of each class in a batch, of classes drawn anew for each; 0 for a shuffled order", whole(0)
    ),
    "train.clustering": Key(
        0.0,
        "classes of such a batch are drawn near a first one, in proportion to exp(clustering * cosine of descriptions)",
        number(0, ends="[)"),
    ),
    "train.checkpoint_every": Key(10, "epochs between checkpoints", whole(1)),
    "few_shot.shots": Key(0, "labelled images of each unseen class that join training; 0 is zero-shot", whole(0)),
    "few_shot.reserve": Key(
        0, "images of each unseen class that leave the test, so that figures of fewer shots compare", whole(0)
    ),
    "few_shot.of_seen": Key(0, "training images kept of each seen class, drawn by the seed; 0 for all", whole(0)),
    "train.nonfinite": Key("stop", "what becomes of a step that is not finite", one_of(("stop", "skip"))),
    "select.on": Key(
        "validation",
        "what choices look at: held-out seen classes, nothing (epochs and knobs as they stand, gamma 0), or the test "
        "labels (to reproduce papers; no honest result)",
        one_of(("validation", "nothing", "test")),
    ),
    "select.metric": Key(
        "harmonic",
        "what chooses the epochs on validation classes; uncalibrated is the harmonic mean at gamma 0",
        one_of(tuple(dict.fromkeys(name for each in protocols.PROTOCOLS.values() for name in each.choices()))),
    ),
    "select.folds": Key(
        0, "draws of validation classes that are averaged over; 0: one where the benchmark names them, else 5", whole(0)
    ),
    "select.seeds": Key(1, "seeds that a sweep averages validation scores over", whole(1)),
    "select.every": Key(1, "epochs between validation scores", whole(1)),
    "select.split.class_fraction": Key(
        0.25, "share of seen classes held out where the benchmark names none", number(0, 1)
    ),
    "select.split.image_fraction": Key(0.2, "share of the other seen classes' images held out", number(0, 1)),
    "normalize.inputs": Key("l2", "scaling of each input", one_of(tuple(methods.SCALINGS))),
    "normalize.classes": Key("l2", "scaling of each class description", one_of(tuple(methods.SCALINGS))),
    "classes.source": Key(
        "dataset",
        "what describes classes: the dataset itself, or files, by their names; several, with + between, side by side",
        Rule(class_sources.is_source, f"some of {', '.join(class_sources.SOURCES)}, + between them"),
    ),
    "classes.words": Key("", "file of word vectors (.txt, .gz, .bin, .npz), for words and norms", PLACE),
    "classes.text": Key("", "folder of a text tower, for sentences and properties", PLACE),
    "classes.template": Key(
        "a photo of a {}.", "sentence on a class, {} stands for its name", Rule(lambda x: "{}" in x, "a text with {}")
    ),
    "classes.texts": Key("", "JSON file of texts on each class, for tf_idf and esa", PLACE),
    "classes.wordnet": Key("", "archive of WordNet nouns, for wordnet, retrofitted, poincare and esa", PLACE),
    "classes.measure": Key("ancestors", "what wordnet says of a class", one_of(wordnet.MEASURES)),
    "classes.tree": Key("", "CSV file of children and parents, for tree, and for poincare in place of WordNet", PLACE),
    "classes.dimensions": Key(10, "numbers of a poincare vector", whole(2)),
    "classes.graph": Key("", "folder of nodes.csv and edges.csv, or file of triples, for graph", PLACE),
    "classes.concepts": Key("", "JSON file of texts on each concept, for esa in place of WordNet's glosses", PLACE),
    "classes.num_concepts": Key(500, "concepts of esa at most, the nearest to the seen classes", whole(1)),
    "classes.norms": Key("ridge", "how norms tells attributes from words", one_of(tuple(norms.NORMS))),
    "classes.nearest": Key(5, "classes that norms=nearest, or a prototype of properties, is the mean of", whole(1)),
    "classes.temperature": Key(0.1, "of the softmax over their cosines, which weighs them", number(0)),
    "classes.strength": Key(1.0, "of the ridge of norms, in units of the mean eigenvalue", number(0)),
    "classes.properties": Key("", "CSV file of a column property, and perhaps concreteness, for properties", PLACE),
    "classes.phrase": Key(
        "a photo of something {}.",
        "sentence on a property, {} stands for it",
        Rule(lambda x: "{}" in x, "a text with {}"),
    ),
    "classes.ranking": Key(
        "both", "what ranks properties: texts, images, or both by concreteness", one_of(property_sources.RANKINGS)
    ),
    "classes.tie": Key("", "file that ties texts to features of images, for properties", PLACE),
    "classes.prototypes": Key(
        "", "archive of vectors [N, F] with names, such as a classifier's rows, for properties", PLACE
    ),
    "classes.edges": Key(
        "given", "edges of the graph: as given, or at random, as a control", one_of(word_sources.EDGES)
    ),
    "classes.neighbors": Key(16, "neighbours of a node of the graph at most, itself among them", whole(2)),
    "classes.weights": Key(
        "",
        "weight of each source where there are several, with commas between them; empty: 1 for all; learned: so that "
        "training classes are as similar as their images",
        Rule(class_sources.is_weights, "empty, learned, or numbers > 0 with commas between them"),
    ),
    "classes.missing": Key(
        "error",
        "a class that a source knows no word of is an error, or gets the mean of the seen ones",
        one_of(("error", "mean")),
    ),
    "classes.permuted": Key(
        False, "whether each class gets the description of another one, as a control", one_of((False, True))
    ),
    "sweep.side_by_side": Key(
        0, "settings of a sweep that a device trains at a time; 0: as many as suit its cache or memory", whole(0)
    ),
    "sweep.widen": Key(3, "times that a grid is widened where its winner is on an end of it", whole(0)),
    "sweep.samples": Key(32, "settings drawn where the sweep names a range", whole(1)),
    "sweep.seeds": Key(3, "seeds that the winner of a sweep is trained with", whole(1)),
    "parallel.mode": Key("jit", "how steps are compiled for several devices", one_of(("jit", "pmap", "shard_map"))),
    "parallel.devices": Key(0, "devices to use, 0 for all", whole(0)),
    "parallel.model": Key(1, "devices that share each large matrix, in mode jit", whole(1)),
    "parallel.hosts": Key(
        "auto", "processes: what the environment shows, all that JAX can detect, or one", one_of(("auto", "all", "one"))
    ),
    "parallel.timeout_s": Key(300, "seconds to wait for all processes at the start", whole(1)),
    "precision": Key(
        "float32",
        "of products of float32 matrices on accelerators; a GPU takes tf32 for bfloat16, a CPU float32 for all",
        one_of(("float32", "tf32", "bfloat16")),
    ),
    "profile.steps": Key(
        "",
        "steps of the final training to trace into WORKDIR/profile, e.g. 10:15",
        STRETCH,
    ),
    "compilation_cache": Key(
        "auto",
        "where compiled programs are kept, auto is ~/.cache/zsl_jax",
        Rule(
            lambda x: isinstance(x, str) and x.lower() not in _NO_FOLDERS,
            "auto, a folder, or none to keep nothing",
        ),
    ),
    "tensorboard": Key(False, "also log to WORKDIR/tensorboard (needs the extra tb)", one_of((False, True))),
    "wandb": Key(False, "also log to Weights & Biases (needs the extra wandb)", one_of((False, True))),
    "plots": Key("story", "images that a run leaves in its workdir", one_of(("story", "none"))),
}

ENCODER = {
    "widths": ("widths of the layers or stages; the last is that of the embedding", wholes(1)),
    "merges": ("sides of the squares of places that each stage begins by merging", wholes(1)),
    "pool": ("how places become one embedding", one_of(("mean", "max", "flatten", "token"))),
    "width_multiplier": ("channels in units of the paper's", number(0)),
    "variant": ("parts of a ViT beside those of the first, as its weights have them", one_of(tuple(vit.VARIANTS))),
    "patch": ("side of a patch, pixels", whole(1)),
    "padding": ("at stride 2, as in the framework of the weights", one_of(tuple(mobilenet.PADDINGS))),
    "scaling": ("of the pixels, as the weights expect it", one_of(tuple(scaling.SCALINGS))),
    "dtype": ("of products; bfloat16 is slower on CPU", one_of(("float32", "bfloat16"))),
    "remat": ("whether the backward pass computes blocks once more", one_of((False, True))),
    "memory": ("learned tokens of each block of a ViT, which train where the rest is frozen", whole(0)),
    "dropout": ("share of the units left out in a training step", number(0, 1, ends="[)")),
    "width": ("entries of the embedding, or channels of the first stage", whole(1)),
    "vocabulary": ("rows of the table of word vectors", whole(2)),
    "embedding_width": ("entries of a word vector", whole(1)),
    "ngrams": ("words in a row, at most, that have a vector of their own", whole(1)),
    "windows": ("numbers of words that a window spans", wholes(1)),
    "channels": ("answers of each window", whole(1)),
    "depth": ("blocks", whole(1)),
    "heads": ("heads of the attention", whole(1)),
    "positions": ("words of the longest text", whole(1)),
    "hidden_width": ("entries of what the first layer makes of a node, or of a state", whole(1)),
    "attention_width": ("entries of the layer that weights of words come from", whole(1)),
    "winners": ("entries that a word keeps", whole(1)),
    "binary": ("whether what is kept is 1", one_of((False, True))),
}

SECTIONS = {
    "encoder": ENCODER,
    "class_encoder": ENCODER,
    "optimizer": {
        "name": ("rule of the updates", one_of(tuple(optimizers.RULES))),
        "learning_rate": ("step size at its highest", number(0)),
        "warmup_steps": ("updates over which the step size rises from 0", whole(0)),
        "decay_epochs": ("epochs until half a cosine has brought it to 0; 0 leaves it", whole(0)),
        "momentum": ("share of the last step that the next one keeps", number(0, 1, ends="[)")),
        "weight_decay": ("share of the weights lost an update, times the step size", number(0, ends="[)")),
        "clip_norm": ("length to which a longer gradient is cut; 0 does not cut", number(0, ends="[)")),
        "accumulate": ("steps whose mean gradient makes one update", whole(1)),
        "chunk": ("inputs of a step, over all devices, that are encoded at a time; 0 for the whole batch", whole(0)),
        "encoder_rate": ("step size of the encoder, where the head's is 1; 0 freezes it", number(0, ends="[)")),
        "average": ("decay of the moving average of the weights that scores; 0 for none", number(0, 1, ends="[)")),
    },
    "augmentation": {
        "crop": ("pixels by which an image is shifted at most", whole(0)),
        "flip": ("whether half of the images are mirrored", one_of((False, True))),
        "brightness": ("added light at most, where white is 1", number(0, 1, ends="[]")),
        "contrast": ("relative change of contrast at most", number(0, 1, ends="[]")),
        "saturation": ("relative change of saturation at most", number(0, 1, ends="[]")),
    },
    "towers": described.KEYS,
    "pretrain": {
        "steps": ("steps at the start that only ask two augmented views to be alike", whole(0)),
        "temperature": ("temperature of their loss, NT-Xent", number(0)),
    },
}

OPTIONS = {
    "seed": ("seed of the rendered images, or of the split", whole(0, bits=32)),
    "num_unseen": ("classes held out; 0 where no class has a training example", whole(0)),
    "hold_out": ("classes without training examples; 0 where no class has any", whole(0)),
    "held_out": ("which classes are held out", one_of(npz.HELD_OUT)),
    "sample": ("texts that are tested, drawn by the seed; 0 for all", whole(0)),
    "unseen_count": ("pairs drawn as unseen; 0 for a fifth of them, or for those of the split", whole(0)),
    "new_parts": ("whether attributes and objects without a training input are allowed", one_of((False, True))),
    "num_per_class": ("images rendered per class", whole(2)),
    "num_pairs": ("pairs that there are; 0 for all", whole(0)),
    "correlation": (
        "share of the training images of an attribute that go to one object, beyond equal parts",
        number(0, 1, ends="[)"),
    ),
    "num_couples": ("couples of scenes that swap their attributes", whole(4)),
    "size": ("height and width of an image, pixels", whole(16)),
    "fit": ("how an image becomes a square", one_of(("crop", "stretch"))),
    "cache": ("whether images are decoded once or when they are needed", one_of(streaming.CACHES)),
    "workers": ("processes that decode a stream; 0 for threads", whole(0)),
}
