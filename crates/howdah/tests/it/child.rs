//! The executable as a child process: run to its end, or kept running and read line by line.
//!
//! Invariant: no child outlives its handle, and every wait has a deadline and then shows the child's
//! output so far.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Enough for two slow and busy cores; a good run needs a fraction of it. Longer than the three minutes
/// that a service waits after a crash for its open calls to settle.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The executable, without the environment of the caller.
pub fn howdah(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_howdah"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("OS_") || text.starts_with("HOWDAH_") || text.ends_with("_proxy") || text == "RUST_LOG" {
            command.env_remove(&name);
        }
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// How a run ended.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Fails with the whole output unless the run ended with this code.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }
}

/// Runs it to its end.
#[track_caller]
pub fn run(args: &[&str]) -> Ran {
    finish(howdah(args))
}

/// Runs a prepared command to its end.
#[track_caller]
pub fn finish(command: Command) -> Ran {
    Running::start(command).end()
}

#[derive(Default)]
struct Said {
    stdout: String,
    stderr: String,
    open: usize,
}

/// A child that runs.
pub struct Running {
    child: Child,
    said: Arc<(Mutex<Said>, Condvar)>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new((Mutex::new(Said { open: 2, ..Said::default() }), Condvar::new()));
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        read(stdout, &said, |said| &mut said.stdout);
        read(stderr, &said, |said| &mut said.stderr);
        Self { child, said }
    }

    /// Waits until stderr has a line that contains `text`, and returns that line.
    #[track_caller]
    pub fn says(&self, text: &str) -> String {
        let line = |said: &Said| said.stderr.lines().find(|l| l.contains(text)).map(str::to_owned);
        let said = self.wait(|said| said.open == 0 || line(said).is_some());
        line(&said).unwrap_or_else(|| panic!("it ended without {text:?}:\n{}{}", said.stdout, said.stderr))
    }

    /// Ends it as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops it as a service manager does.
    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        let told = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]).status().unwrap();
        assert!(told.success());
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ran {
        // Both pipes close when it ends and not earlier: it has no children.
        let (stdout, stderr) = {
            let said = self.wait(|said| said.open == 0);
            (said.stdout.clone(), said.stderr.clone())
        };
        let status = self.child.wait().unwrap();
        Ran { code: status.code(), stdout, stderr }
    }

    #[track_caller]
    fn wait(&self, reached: impl Fn(&Said) -> bool) -> std::sync::MutexGuard<'_, Said> {
        let (said, changed) = &*self.said;
        let until = Instant::now() + PATIENCE;
        let mut now = said.lock().unwrap();
        while !reached(&now) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!("stdout:\n{}\nstderr:\n{}", now.stdout, now.stderr);
                drop(now);
                panic!("not the expected output within {PATIENCE:?}\n{text}");
            }
            now = changed.wait_timeout(now, left).unwrap().0;
        }
        now
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(from: impl Read + Send + 'static, said: &Arc<(Mutex<Said>, Condvar)>, part: fn(&mut Said) -> &mut String) {
    let said = Arc::clone(said);
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            part(&mut said.0.lock().unwrap()).push_str(&text);
            said.1.notify_all();
            line.clear();
        }
        said.0.lock().unwrap().open -= 1;
        said.1.notify_all();
    });
}
