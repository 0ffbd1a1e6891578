//! Keystone and Neutron over HTTP, in front of the simulated world.
