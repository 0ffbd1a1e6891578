//! Another service takes the database over: the first one ends, and says why.

use std::fs;
use std::time::Duration;

use howdah_core::failure::chain;
use howdah_server::config::{Config, Env};
use howdah_server::serve;
use howdah_sim::world::settings::Timings;
use howdah_sim::{Listen, Site, SiteSettings};
use howdah_store::SqliteStore;

use crate::whole::file;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_ends_when_another_one_has_taken_its_database() {
    let settings = SiteSettings { timings: Timings::quick(), ..SiteSettings::default() };
    let site = Site::start(settings, Listen { tls: true, ..Listen::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = Config::load(&file(folder.path(), &site), &Env::new()).unwrap();
    let options = config.store.clone();
    let (tell, told) = tokio::sync::oneshot::channel();
    let started = |running: &howdah_server::Running| {
        assert!(tell.send(running.store.clone()).is_ok());
    };
    // Nobody stops it: only the takeover can.
    let service = tokio::spawn(serve(config, std::future::pending(), started));
    let store = told.await.unwrap();

    // As on a file system without locks.
    fs::remove_file(options.path.with_extension("db.lock")).unwrap();
    let _newer = SqliteStore::open(&options).await.unwrap();
    assert_eq!(store.try_write().await.unwrap_err().code, "fenced");

    let ended = tokio::time::timeout(Duration::from_secs(60), service).await.unwrap().unwrap();
    let error = ended.unwrap_err();
    let said = chain(&error).replace(folder.path().to_str().unwrap(), "");
    assert!(said.starts_with("cannot continue without the database: "), "{said}");
    assert!(said.contains("/howdah.db"), "{said}");
    assert!(error.hint().is_some());
}
