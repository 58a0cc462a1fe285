"""archdsl inside of Hydra."""
