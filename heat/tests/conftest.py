"""Heat's own test base comes first: it chooses the threading backend (Heat 27) or patches the
standard library for eventlet (Heat 19), which works only before anything else is imported."""
import heat.tests.common  # noqa: F401
