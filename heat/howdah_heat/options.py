"""Settings in heat.conf, all optional.

``[howdah]`` has what is ours; TLS and the choice of endpoint follow Heat's own convention of a
``[clients_<name>]`` section that falls back on ``[clients]``.
"""
from typing import Any, Dict, Optional

from heat.common import config
from oslo_config import cfg

GROUP = "howdah"
CLIENT = "howdah"
SERVICE_TYPE = "data-processing"

OPTIONS = [
    cfg.StrOpt(
        "endpoint",
        help="URL of the Howdah service. Without it the endpoint of type %s in the "
        "Identity service's catalogue is used." % SERVICE_TYPE,
    ),
    cfg.FloatOpt(
        "connect_timeout",
        default=3.0,
        min=0.1,
        help="Seconds to wait for a connection. Requests are repeated at the next poll, so a "
        "short time is a good one.",
    ),
    cfg.FloatOpt(
        "read_timeout",
        default=10.0,
        min=0.1,
        help="Seconds to wait for an answer.",
    ),
]


def register(conf: Any = cfg.CONF) -> None:
    """Registers the options; idempotent."""
    conf.register_opts(OPTIONS, group=GROUP)
    conf.register_opts(config.clients_opts, group="clients_" + CLIENT)


def endpoint() -> Optional[str]:
    """The endpoint the operator set, if one is set."""
    value: Optional[str] = cfg.CONF[GROUP].endpoint
    return value or None


def interface() -> str:
    """Which endpoint of the catalogue to use."""
    value: str = config.get_client_option(CLIENT, "endpoint_type")
    return value


def transport() -> Dict[str, Any]:
    """Arguments of a request: time limits, and how TLS is verified."""
    group = cfg.CONF[GROUP]
    return {"timeout": (group.connect_timeout, group.read_timeout), **config.get_ssl_options(CLIENT)}


def list_opts() -> Any:
    """For oslo-config-generator."""
    yield GROUP, OPTIONS
    yield "clients_" + CLIENT, config.clients_opts
