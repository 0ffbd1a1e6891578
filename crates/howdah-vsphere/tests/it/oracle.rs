//! PyVmomi, the reference client for Python, against the simulated vCenter.

use std::path::PathBuf;
use std::process::Command;

use howdah_sim::SiteSettings;
use howdah_testkit::tls::TlsServer;

use crate::site::{Site, skip, swift};

/// A Python that has PyVmomi: `$PYVMOMI_PYTHON`, or the system's.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("PYVMOMI_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let has = Command::new(&python).args(["-c", "import pyVmomi"]).output().is_ok_and(|o| o.status.success());
    has.then_some(python)
}

#[tokio::test]
async fn pyvmomi_reads_what_there_is() {
    let Some(python) = python() else {
        return skip("PyVmomi", "`pip install pyvmomi` for python3, or name a Python that has it in $PYVMOMI_PYTHON");
    };
    for version in ["6.5", "8.0"] {
        let settings = SiteSettings { bystanders: 5, vcenter_version: version.to_owned(), ..swift() };
        let site = Site::with(settings).await;
        site.make_vm("c-worker/0", &site.folder("c", "worker")).await;
        let login = site.world.read(|s| s.settings.vcenter_login.clone());
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../howdah-sim/tests/pyvmomi_oracle.py");
        // As scripts do it: over TLS, with whatever certificate there is.
        let tls = TlsServer::start(site.face.router()).await;
        let mut command = Command::new(&python);
        command.arg(script).args(["--url", &tls.url(), "--user", &login.user, "--password", &login.password]);
        command.args(["--power-on", "c-worker%2f0"]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{version}: {}", String::from_utf8_lossy(&output.stderr));
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let vms = said["vms"].as_object().unwrap();
        assert_eq!((vms.len(), said["bulk"].as_object().unwrap().len()), (7, 7));
        let ours = vms.values().find(|v| v["name"] == "c-worker%2f0").unwrap();
        let expected = site.world.read(|s| s.vc.vm_named("c-worker/0").unwrap().clone());
        assert_eq!(ours["power"], "poweredOn");
        assert_eq!(ours["instance_uuid"], expected.instance_uuid.to_string());
        assert_eq!(ours["folder"], "worker");
        assert_eq!(ours["nics"][0]["key"], 4000);
        assert_eq!(ours["nics"][0]["mac"], expected.nics[0].mac.to_string());
        assert_eq!(ours["nics"][0]["connected"], true);
        assert_eq!(ours["networks"][0], "dc1-management");
        assert_eq!(site.face.leftovers().sessions, 0, "it logs out");
    }
}
