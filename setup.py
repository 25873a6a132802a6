"""The packages of the wheel: zsl_jax, and the recipes of configs/ as zsl_jax/configs. All else is in pyproject.toml."""

import pathlib

import setuptools

RECIPES = {"zsl_jax.configs": "configs", "zsl_jax.configs.extract": "configs/extract"}

assert all(pathlib.Path(folder).is_dir() for folder in RECIPES.values())
setuptools.setup(packages=[*setuptools.find_packages(include=["zsl_jax*"]), *RECIPES], package_dir=RECIPES)
