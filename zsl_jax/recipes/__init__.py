"""From the name of a recipe in configs/ to a config: where recipes are, and what several of them share."""
