//! The executable with few descriptors and many silent clients.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::Command;

use crate::child::Running;
use crate::setup::{Setup, quick};

/// More clients than the service may have files open: its seats over the UNIX socket alone are more than
/// its descriptors, so accepting fails.
const DESCRIPTORS: &str = "90";
const CROWD: usize = 300;

#[test]
fn without_a_free_descriptor_the_operator_is_answered() {
    let setup = Setup::new(quick(20.0));
    let serve = setup.serve_command();
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n \"$0\" && exec \"$@\"", DESCRIPTORS])
        .arg(serve.get_program())
        .args(serve.get_args());
    for (name, value) in serve.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let service = Running::start(limited);
    service.says("Howdah is listening on");
    let held: Vec<_> = (0..CROWD)
        .map(|_| {
            let mut stream = UnixStream::connect(setup.path("howdah.sock")).unwrap();
            let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: howdah\r\n");
            stream
        })
        .collect();
    setup.cluster(&["list"]).ended(0);
    drop(held);
    setup.cluster(&["list"]).ended(0);
    service.terminate();
    let log = service.end().ended(0).stderr;
    assert!(log.contains("cannot accept connections"), "{log}");
}
