"""``python -m howdah_heat`` prints the directory to name in Heat's ``plugin_dirs``."""
import sys

from howdah_heat import plugin_dir

sys.stdout.write(plugin_dir() + "\n")
