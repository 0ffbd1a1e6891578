//! The Serengeti REST API over HTTP, in front of the simulated world.
