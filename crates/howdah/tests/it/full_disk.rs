//! The service's disk is full: clients and watchers see the reason, and once there is space the
//! operations continue. The disk is a small tmpfs in the test's own mount namespace.

use std::fs::{File, remove_file};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::child::Running;
use crate::setup::{Setup, create, quick};

const FOLDER: &str = "HOWDAH_TEST_FULL_DISK";

/// A command in its own mount namespace; a user without root gets a user namespace as well.
fn apart(arguments: &[&str], program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.arg("--mount").args(arguments).arg("--").arg(program);
    command
}

/// The way in which this machine lets a test mount, if there is one.
fn way() -> Option<&'static [&'static str]> {
    let works = |way: &&&[&str]| {
        let mount = "mount -t tmpfs tmpfs /mnt";
        let tried = apart(way, Path::new("sh")).args(["-c", mount]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let ways: [&[&str]; 2] = [&[], &["--map-root-user"]];
    ways.iter().find(works).copied()
}

#[test]
fn a_full_disk_is_told_to_who_asks_and_to_who_watches() {
    let Some(way) = way() else {
        let advice = "the test needs mount(8) and unshare(1), as root or with user namespaces";
        assert!(std::env::var_os("HOWDAH_REQUIRE_ALL").is_none(), "a full disk is required: {advice}");
        // Directly to stderr: the test runner shows a test's captured output only if it fails.
        let _ = writeln!(std::io::stderr(), "SKIPPED a full disk of the service: {advice}");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let ran = apart(way, &std::env::current_exe().unwrap())
        .args(["--exact", "full_disk::victim", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.contains("it continued"), "{said}");
}

/// A small disk, with a file that fills it.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> Self {
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&at).status();
        assert!(done.unwrap().success());
        Self(at)
    }

    /// Leaves no byte free.
    fn fill(&self) {
        let mut file = File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    fn free(&self) {
        remove_file(self.0.join("filler")).unwrap();
    }
}

/// Not a test of its own: the process that the test above starts in its namespace.
#[test]
fn victim() {
    let Some(at) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let disk = Disk::mount(at.clone());
    // In real time: guests retry for a minute, and the disk may be full for that long.
    let setup = Setup::new(quick(1.0));
    setup.configure(|text| text.replace(&setup.text_path("howdah.db"), &at.join("howdah.db").display().to_string()));
    let service = setup.serve();
    let one = create("hadoop", "worker=1:hadoop_client");

    disk.fill();
    let refused = setup.cluster(&[&one[..], &["--patience", "2"]].concat()).ended(4);
    assert!(
        refused
            .stderr
            .contains("the service is not available (503): the service cannot write its database: the disk is full")
    );
    assert!(refused.stderr.contains("Free space on the file system of"), "{}", refused.stderr);
    let asking = Running::start(setup.cluster_command(&[&one[..], &["--no-wait"]].concat()));
    asking.says("Retrying for up to 120 s");
    assert_eq!(setup.cluster(&["list"]).ended(0).stderr, "No clusters found.\n", "reads still work");
    disk.free();
    asking.end().ended(0);

    disk.fill();
    let watch = Running::start(setup.cluster_command(&["watch", "hadoop"]));
    watch.says("the service is not ready: store: store_full");
    disk.free();
    let watch = watch.end().ended(0);
    assert!(watch.stdout.contains("addressed"), "{}", watch.stdout);
    setup.sound(&[]);
    assert_eq!(setup.left(), (1, 1, 1));
    service.kill();
    eprintln!("it continued");
}
