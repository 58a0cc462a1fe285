"""The wheel installs this file as `hydra_plugins/archdsl.py`, where Hydra looks for plugins, and not in the package."""

from archdsl.tools.hydra.config_source import ArchdslConfigSource as ArchdslConfigSource
