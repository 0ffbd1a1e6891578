"""The Heat side of Howdah: one resource type, ``VirtualElephant::VMware::BDE``.

Heat finds resource types in the directories of its ``plugin_dirs`` setting. Ours is
:func:`plugin_dir`; ``python -m howdah_heat`` prints it. Importing this package starts
nothing and needs nothing but the standard library.
"""
import os

__all__ = ["plugin_dir"]
__version__ = "0.1.0"


def plugin_dir() -> str:
    """The directory to name in ``plugin_dirs`` of heat.conf."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "heat")
