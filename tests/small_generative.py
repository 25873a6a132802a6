"""Knobs with which generative methods take seconds on the toy problem."""

SMALL = {
    **{"num_hidden": 64, "critic_steps": 2, "learning_rate": 3e-3, "description_scale": 4.0},
    **{"num_synthetic": 40, "classifier_epochs": 300},
}
KNOBS = {
    "f_clswgan": SMALL | {"class_weight": 0.3},
    "lsrgan": SMALL | {"num_neighbors": 3, "relation_weight": 1.0, "class_weight": 0.3},
    "cizsl": SMALL | {"class_weight": 0.3},
    "tf_vaegan": SMALL | {"adversarial_weight": 1.0},
    "ce_gzsl": SMALL | {"num_embedding": 32, "num_projection": 8, "num_compared": 16},
    "cada_vae": {"num_latent": 8, "num_synthetic": 40, "num_real": 40, "classifier_epochs": 100, "learning_rate": 1e-3},
}
