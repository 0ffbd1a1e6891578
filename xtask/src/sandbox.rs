//! A simulated site and a service for it, as child processes that end with this value.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::run::Done;

/// A child that is ended, by its pid, when this value goes.
pub struct Ended(Child);

impl Ended {
    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A site and a service that works on it.
pub struct Sandbox {
    /// The program.
    pub howdah: PathBuf,
    /// The site's control API, without its path.
    pub control: String,
    /// The service's endpoint, as `--endpoint` takes it.
    pub endpoint: String,
    /// The service.
    pub service: Ended,
    _site: Ended,
}

impl Sandbox {
    /// Starts both and waits until they say that they are up.
    pub fn start(howdah: &Path, folder: &Path, arguments: &[&str]) -> Done<Self> {
        let cannot = |e: &dyn std::fmt::Display| format!("the sandbox did not start: {e}");
        let config = folder.join("howdah.toml");
        let mut site = Command::new(howdah);
        site.args(["sandbox", "--quiet", "--output", "json", "--config-out"]).arg(&config).args(arguments);
        let mut site = site.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(|e| cannot(&e))?;
        let out = site.stdout.take();
        let site = Ended(site);
        let mut text = String::new();
        for line in BufReader::new(out.ok_or_else(|| cannot(&"no output"))?).lines() {
            text.push_str(&line.map_err(|e| cannot(&e))?);
            // The document is written over several lines; it is complete when it parses.
            if let Ok(document) = serde_json::from_str::<Value>(&text) {
                let control = document["urls"]["control"].as_str().unwrap_or_default();
                let control = control.trim_end_matches("/sandbox/v1").to_owned();
                allow_many(&config).map_err(|e| cannot(&e))?;
                let (service, endpoint) = serve(howdah, &config, folder)?;
                return Ok(Self { howdah: howdah.to_owned(), control, endpoint, service, _site: site });
            }
        }
        Err(cannot(&"it ended"))
    }

    /// Runs `howdah cluster ...` against the service.
    pub fn cluster(&self, arguments: &[&str]) -> Done<String> {
        let mut command = Command::new(&self.howdah);
        command.args(["cluster", "--quiet", "--endpoint", &self.endpoint]).args(arguments);
        let out = command.stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
        if out.status.success() {
            return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
        }
        Err(format!("howdah cluster {}: {}", arguments.join(" "), String::from_utf8_lossy(&out.stderr)))
    }
}

/// A bench makes larger clusters than a project may have by default.
fn allow_many(config: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new().append(true).open(config)?.write_all(b"\n[limits]\nnodes_per_project = 100000\n")
}

fn serve(howdah: &Path, config: &Path, folder: &Path) -> Done<(Ended, String)> {
    let cannot = |e: &dyn std::fmt::Display| format!("the service did not start: {e}");
    let mut serve = Command::new(howdah);
    serve.arg("serve").arg("--config").arg(config).env("RUST_LOG", "error");
    let mut serve = serve.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(|e| cannot(&e))?;
    let err = serve.stderr.take();
    let service = Ended(serve);
    let mut said = String::new();
    for line in BufReader::new(err.ok_or_else(|| cannot(&"no output"))?).lines() {
        let line = line.map_err(|e| cannot(&e))?;
        if line.contains("Howdah is listening on") {
            return Ok((service, format!("unix:{}", folder.join("howdah.sock").display())));
        }
        said.push_str(&line);
        said.push('\n');
    }
    Err(cannot(&said))
}
