"""Registers ``VirtualElephant::VMware::BDE`` with Heat.

Invariant: importing this module and calling :func:`resource_mapping` never raise. Heat's
engine does not start when a plugin module raises, so a broken installation of ours must cost
its operator one resource type and a line in the log, not the whole of Heat.
"""
import logging
from typing import Any, Dict

LOG = logging.getLogger(__name__)

_MAPPING: Dict[str, Any] = {}
try:
    from howdah_heat import options, resource

    options.register()
    _MAPPING[resource.TYPE] = resource.BigDataCluster
except Exception:  # whatever it is, Heat has to start: see the head of this file
    LOG.exception("the Howdah resource type could not be loaded and is not offered")


def resource_mapping() -> Dict[str, Any]:
    """Resource types by name, as Heat's environment wants them."""
    return dict(_MAPPING)
