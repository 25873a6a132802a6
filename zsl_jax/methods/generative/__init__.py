"""Methods that imagine the unseen: features are made from a class's description, and a classifier is trained on them.

    networks      the conditional generator and the critic
    scaling       features brought to [0, 1] by the range of the training images
    adversarial   critic steps and a generator step in one `update`
    imagined      features for the classes without images, in `finish`, and the softmax classifier on them

A method is a file: what its generator is asked for beside the value of the critic.
"""
