//! A full disk: changes fail and say why, and work again in the same process once there is space.
//! The disk is a small tmpfs in a mount namespace of the test's own, which goes with its process.

use std::fs::{File, remove_file};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use howdah_core::failure::{ErrorKind, RemoteError, chain};
use howdah_core::known::ClusterState;
use howdah_core::store::Store;
use howdah_core::wanted::Secrets;
use howdah_store::{Options, SqliteStore};

use crate::sample::{event, key, record};

const FOLDER: &str = "HOWDAH_TEST_FULL_DISK";

/// A command in a mount namespace of its own; as root without, else with a user namespace.
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
fn a_full_disk_is_survived() {
    let Some(way) = way() else {
        let advice = "it needs mount(8) and unshare(1), as root or with user namespaces";
        assert!(std::env::var_os("HOWDAH_REQUIRE_ALL").is_none(), "a full disk is required: {advice}");
        // Past the test runner, which shows a test's own output only if it failed.
        let _ = writeln!(std::io::stderr(), "SKIPPED a full disk: {advice}");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let Output { status, stdout, stderr } = apart(way, &std::env::current_exe().unwrap())
        .args(["--exact", "full::victim", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && said.contains("it went on"), "{said}");
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

/// Checks that it is the refusal of a full disk, and that it says what to do.
fn check(e: &RemoteError, path: &Path) {
    assert_eq!((e.code, e.kind), ("store_full", ErrorKind::Unavailable), "{}", chain(e));
    let path = path.display();
    assert_eq!(e.message, format!("no space is left for {path}"));
    let hint = format!("Free space on the file system of {path}; howdah then continues automatically.");
    assert_eq!(e.hint.as_ref(), Some(&hint));
}

/// Not a test of its own: the process that the test above starts in its namespace.
#[tokio::test]
async fn victim() {
    let Some(at) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let disk = Disk::mount(at);
    let options = Options { path: disk.0.join("howdah.db"), key_file: disk.0.join("secret.key") };
    let store = SqliteStore::open(&options).await.unwrap();
    store.insert(&record(1, "one"), &Secrets::default(), &[]).await.unwrap();
    store.try_write().await.unwrap();

    // Each save is larger than what the database's log still has room for.
    let large = "x".repeat(300_000);
    let mut state = ClusterState { registration: Some(large), ..ClusterState::default() };
    for round in 1..=3 {
        disk.fill();
        check(&store.try_write().await.unwrap_err(), &options.path);
        let mut refused = 0;
        for _ in 0..40 {
            let kept = state.progress;
            state.progress += 1.0;
            if let Err(e) = store.save(&key(1), &state, &[event("kept")]).await {
                check(&e, &options.path);
                refused += 1;
                state.progress = kept;
            }
        }
        assert!(refused > 20, "only {refused} changes of round {round} found no space");
        let known = store.load(&key(1)).await.unwrap().unwrap().cluster().unwrap().1;
        assert_eq!(known.progress, state.progress, "what was refused never happened");

        disk.free();
        store.try_write().await.unwrap();
        state.progress += 1.0;
        store.save(&key(1), &state, &[event("kept")]).await.unwrap();
        let events = store.events(&key(1), 0, usize::MAX).await.unwrap();
        assert_eq!(events.len() as f64, state.progress, "round {round}");
    }

    disk.fill();
    let other = Options { path: disk.0.join("other.db"), ..options };
    let e = SqliteStore::open(&other).await.unwrap_err();
    check(&e.into(), &other.path);
    println!("it went on");
}
