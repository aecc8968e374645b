"""The configuration: composed from conf/, checked, and turned into objects."""

from proj.config.compose import CONF, build, configure
from proj.config.stored_run import stored_config

__all__ = ["CONF", "build", "configure", "stored_config"]
