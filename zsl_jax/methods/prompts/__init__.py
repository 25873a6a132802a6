"""Prompts learned before a frozen text tower: what a class is called, and the words around it, as vectors.

    family            the score, the loss and the step that all share; `hand_prompt`, where nothing is learned
    coop              context vectors: for all classes, of each class, or of a pair's attribute and object
    csp               a vector of each attribute and of each object
    learned_names     a vector in the place of a class's name
    cocoop            context that depends on the image
    bayesian_prompts  a distribution over the context
    attribute_prompts phrases on a class and learned looks at an image, matched by optimal transport
    masked_tower      no vector at all: which weights of the tower's top layers are left out
    tip_adapter       the training images beside the prompt, as a cache

The weights of the tower are frozen: an argument of every program, in no checkpoint, their hash in the record.
"""
