//! The client against govmomi's vCenter simulator: another team's idea of the same protocol, which
//! keeps our own simulated vCenter honest about its shape.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use howdah_core::failure::ErrorKind;
use howdah_core::systems::vcenter::VCenter;
use howdah_core::systems::vcenter::{Power, WatchEvent};
use howdah_transport::Trust;
use howdah_vsphere::{Client, Settings, Timeouts};
use tempfile::TempDir;

use crate::site::{cluster, next, say, skip, until};

/// A running vcsim; ended with the test, and its files with it.
struct Vcsim {
    child: Child,
    url: String,
    _datastores: TempDir,
}

impl Drop for Vcsim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `$VCSIM`, or `vcsim` on the path or where Go installs, or the one of ours, built if there is a Go.
fn program() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("VCSIM") {
        return Some(program.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let go = std::env::home_dir().map(|home| home.join("go/bin"));
    let mut folders = std::env::split_paths(&path).chain(go);
    if let Some(found) = folders.find_map(|f| Some(f.join("vcsim")).filter(|p| p.is_file())) {
        return Some(found);
    }
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vcsim");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vcsim");
    let build = Command::new("go").args(["build", "-o"]).arg(&built).arg(".").current_dir(source).output().ok()?;
    let good = build.status.success();
    if !good {
        say(&format!("vcsim cannot be built: {}", String::from_utf8_lossy(&build.stderr)));
    }
    good.then_some(built)
}

fn start() -> Option<Vcsim> {
    let program = program()?;
    // It makes a folder for each datastore where temporary files are, and leaves them when it is ended.
    let datastores = tempfile::tempdir().unwrap();
    let mut child = Command::new(&program)
        .args(["-l", "127.0.0.1:0", "-tls=false", "-username", "howdah", "-password", "vc-secret"])
        // Everything in folders, so that one can be followed: /F0/DC0/vm/F0.
        .args(["-folder", "1", "-nsx", "1", "-pg-nsx", "1"])
        .env("TMPDIR", datastores.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{}: {e}", program.display()));
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines.map_while(Result::ok).find_map(|l| Some(l.split_once("GOVC_URL=")?.1.to_owned())).unwrap();
    // The address comes with the credentials in it.
    let host = url.rsplit('@').next().unwrap();
    Some(Vcsim { child, url: format!("http://{host}"), _datastores: datastores })
}

fn client(vcsim: &Vcsim, password: &str) -> Client {
    Client::new(Settings {
        url: vcsim.url.clone(),
        username: "howdah".to_owned(),
        password: password.to_owned().into(),
        trust: Trust::System,
        folder_prefix: "vm".to_owned(),
        switch: None,
        pace: std::sync::Arc::default(),
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            call: Duration::from_secs(20),
            task: Duration::from_secs(20),
        },
    })
    .unwrap()
}

#[tokio::test]
async fn the_client_works_with_vcsim() {
    let Some(vcsim) = tokio::task::spawn_blocking(start).await.unwrap() else {
        return skip("vcsim", "install Go, or name a vcsim of govmomi 0.50 or later in $VCSIM");
    };
    let error = client(&vcsim, "wrong").version().await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Credentials, "vcenter_credentials"));

    let client = client(&vcsim, "vc-secret");
    assert!(client.version().await.unwrap().contains("vCenter"));

    let segments = client.segments().await.unwrap();
    assert!(segments.iter().all(|s| s.datacenter == "DC0"), "{segments:?}");
    let group = segments.iter().find(|s| s.name == "DC0_DVPG0").unwrap();
    assert!(group.switch.is_some() && group.segment_id.is_none());
    let nsx = segments.iter().find(|s| s.segment_id.is_some()).unwrap();
    assert!(nsx.logical_switch.is_some(), "{nsx:?}");
    assert!(segments.iter().any(|s| s.switch.is_none() && s.logical_switch.is_some()), "{segments:?}");

    // What is there, with its cards.
    let mut watch = client.watch(&cluster("F0")).await.unwrap();
    let mut vms = Vec::new();
    while let WatchEvent::Vm(facts) = next(&mut watch).await {
        vms.push(facts);
    }
    assert!(!vms.is_empty());
    let vm = vms[0].clone();
    assert_eq!((vm.power, vm.nics.len(), vm.nics[0].key), (Power::On, 1, 4000));
    assert!(vm.nics[0].mac.is_some() && vm.instance_uuid.is_some(), "{vm:?}");
    assert_eq!(vm.nics[0].segment.as_ref(), Some(&group.key));
    let mut asked: Vec<_> = vms.iter().map(|f| f.vm.clone()).collect();
    asked.push("vm-99999".into());
    assert_eq!(client.vms(&asked).await.unwrap().len(), vms.len());

    // Acting, and what the watch says of it.
    client.power_off(&vm.vm).await.unwrap();
    until(&mut watch, |f| f.vm == vm.vm && f.power == Power::Off).await;
    client.power_off(&vm.vm).await.unwrap();
    client.set_external_id(&vm.vm, 4000, &"port-1".into()).await.unwrap();
    let changed = until(&mut watch, |f| f.vm == vm.vm && f.nics[0].external_id.is_some()).await;
    assert_eq!(changed.nics[0].external_id.as_deref(), Some("port-1"));
    assert_eq!((changed.nics[0].mac, &changed.nics[0].segment), (vm.nics[0].mac, &vm.nics[0].segment));
    client.power_on(&vm.vm).await.unwrap();
    until(&mut watch, |f| f.vm == vm.vm && f.power == Power::On).await;
    client.power_on(&vm.vm).await.unwrap();
    client.reset(&vm.vm).await.unwrap();
    let error = client.reset(&"vm-99999".into()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);

    // A second cluster is watched together with the first, and its watch ends alone.
    let mut other = client.watch(&cluster("nothing")).await.unwrap();
    assert_eq!(next(&mut other).await, WatchEvent::Synced);
    drop(other);
    client.power_off(&vm.vm).await.unwrap();
    until(&mut watch, |f| f.vm == vm.vm && f.power == Power::Off).await;
    client.close().await;
}
