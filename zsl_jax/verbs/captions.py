"""The figures that a run leaves in its workdir, in the order of telling, and what each of them shows."""

CAPTIONS = {
    "story.png": "the run at a glance",
    "curves.png": "losses, and the validation scores that chose the epochs",
    "confusion.png": "what is taken for what, among all classes",
    "confusions.png": "the worst confusions, and the attributes behind them",
    "attributes.png": "classes by attributes, as described and as read off the images",
    "embeddings.png": "images and class descriptions in the plane",
    "retrieval.png": "the nearest images of unseen classes",
    "bias.png": "seen against unseen pairs, as a constant is subtracted from the seen ones",
    "pairs.png": "accuracy by attribute and object",
    "examples.png": "images of unseen pairs, and what they are taken for",
}
