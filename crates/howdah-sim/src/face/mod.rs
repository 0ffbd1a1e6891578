//! The real protocols in front of a [`World`](crate::World), one module for each system. Each
//! offers `router(world) -> axum::Router`; none of them keeps facts of its own beyond sessions.

pub mod openstack;
pub mod serengeti;
pub mod vcenter;
