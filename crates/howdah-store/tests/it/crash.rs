//! `kill -9`: what was answered is there afterwards, and every change is there as a whole.

use std::io::Write;
use std::process::Stdio;

use howdah_core::known::ClusterState;
use howdah_core::store::Store;
use howdah_core::wanted::Secrets;
use howdah_store::{Options, SqliteStore};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::sample::{event, key, options, record};

const FOLDER: &str = "HOWDAH_TEST_CRASH_FOLDER";

/// Not a test of its own: the process that the test below kills. Each save has two events and a
/// progress that counts the saves.
#[tokio::test]
async fn victim() {
    let Some(folder) = std::env::var_os(FOLDER).map(std::path::PathBuf::from) else { return };
    let options = Options { path: folder.join("db/howdah.db"), key_file: folder.join("secret.key") };
    let store = SqliteStore::open(&options).await.unwrap();
    let (_, mut state) = store.load(&key(1)).await.unwrap().unwrap().cluster().unwrap();
    let mut out = std::io::stdout();
    loop {
        state.progress += 1.0;
        store.save(&key(1), &state, &[event("a"), event("b")]).await.unwrap();
        writeln!(out, "saved {}", state.progress).unwrap();
    }
}

#[tokio::test]
async fn killed_while_writing() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    store.insert(&record(1, "one"), &Secrets::default(), &[]).await.unwrap();
    drop(store);
    for round in 1..=8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::victim", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut answered, mut seen) = (0.0, 0);
        while seen < round * 3 {
            let line = lines.next_line().await.unwrap().expect("the victim writes until it is killed");
            if let Some(number) = line.rsplit_once("saved ").map(|(_, n)| n) {
                (answered, seen) = (number.parse::<f64>().unwrap(), seen + 1);
            }
        }
        child.kill().await.unwrap();

        let store = SqliteStore::open(&options(&folder)).await.unwrap();
        let (_, ClusterState { progress, .. }) = store.load(&key(1)).await.unwrap().unwrap().cluster().unwrap();
        assert!(progress >= answered, "{progress} saves found, {answered} answered");
        let events = store.events(&key(1), 0, usize::MAX).await.unwrap();
        assert_eq!(events.len() as f64, 2.0 * progress, "a save is there with its events, or not at all");
    }
}
