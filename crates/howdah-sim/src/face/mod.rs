//! The real protocols in front of a [`World`](crate::World), one module per system. Each has a
//! `router(world) -> axum::Router`; none has state of its own except sessions.

pub mod openstack;
pub mod serengeti;
pub mod vcenter;
