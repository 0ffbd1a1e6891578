//! The vSphere SOAP API over HTTP, in front of the simulated world.
