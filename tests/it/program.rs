//! Starts the program `ocean_custom` as a person would: with files in a folder, an environment, and pipes.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

use longshore_testkit::Server;
use serde_json::Value;
use tempfile::TempDir;

/// One start of the program, in a folder of its own, without any setting of the person who runs the tests.
#[derive(Debug)]
pub(crate) struct Program {
    folder: TempDir,
    arguments: Vec<String>,
    environment: Vec<(String, OsString)>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new() -> Program {
        Program {
            folder: TempDir::new().unwrap(),
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// The program with an API that asks for no credentials.
    pub(crate) fn reading(api: &Server) -> Program {
        Program::new().connection(&format!("baseUrl: {}", api.url))
    }

    /// Writes `connection.yaml` and names it on the command line.
    pub(crate) fn connection(self, yaml: &str) -> Program {
        self.file("connection.yaml", yaml)
            .arguments(&["--config", "connection.yaml"])
    }

    /// Writes `mapping.yaml` and names it on the command line.
    pub(crate) fn mapping(self, yaml: &str) -> Program {
        self.file("mapping.yaml", yaml)
            .arguments(&["--mapping", "mapping.yaml"])
    }

    /// Gives it credentials of this Port, and an identifier.
    pub(crate) fn port(self, port: &Server) -> Program {
        let url = port.url.to_string();
        self.variable("OCEAN__PORT__BASE_URL", &url)
            .variable("OCEAN__PORT__CLIENT_ID", "the-client")
            .variable("OCEAN__PORT__CLIENT_SECRET", "the-client-secret")
            .variable("OCEAN__INTEGRATION__IDENTIFIER", "my-api")
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Program {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Program {
        let value = value.as_ref().to_owned();
        self.environment.push((name.to_owned(), value));
        self
    }

    /// Runs it to its end.
    pub(crate) async fn run(self) -> Ended {
        let output = off_thread(move || self.command().output()).await;
        Ended::of(output)
    }

    /// Starts it, and leaves what becomes of it to others. What it prints is lost.
    pub(crate) fn spawn(&self) -> std::process::Child {
        let mut command = self.command();
        command.stdout(Stdio::null()).stderr(Stdio::inherit());
        command.spawn().unwrap()
    }

    /// Runs it to its end, and looks at its process every few milliseconds.
    pub(crate) async fn run_watched(self, mut look: impl FnMut(u32) + Send + 'static) -> Ended {
        let output = off_thread(move || {
            let mut child = self.command().spawn()?;
            while child.try_wait()?.is_none() {
                look(child.id());
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            child.wait_with_output()
        })
        .await;
        Ended::of(output)
    }

    /// Runs it with a stdout that is closed after this many lines.
    pub(crate) async fn run_for_lines(self, lines: usize) -> Ended {
        let output = off_thread(move || {
            let mut child = self.command().spawn()?;
            let stdout = child.stdout.take().map(io::BufReader::new);
            let read: Vec<String> = stdout
                .into_iter()
                .flat_map(io::BufRead::lines)
                .take(lines)
                .collect::<io::Result<_>>()?;
            let mut output = child.wait_with_output()?;
            output.stdout = read.join("\n").into_bytes();
            Ok(output)
        })
        .await;
        Ended::of(output)
    }

    /// Runs it until `begun` gives a word, then sends SIGTERM.
    #[cfg(unix)]
    pub(crate) async fn run_until(self, begun: std::sync::mpsc::Receiver<()>) -> Ended {
        let output = off_thread(move || {
            let mut child = self.command().spawn()?;
            if let Err(error) = begun.recv_timeout(std::time::Duration::from_secs(60)) {
                // One that polls would go on for ever.
                child.kill()?;
                return Err(io::Error::other(error));
            }
            let id = child.id().to_string();
            Command::new("kill").args(["-TERM", &id]).status()?;
            child.wait_with_output()
        })
        .await;
        Ended::of(output)
    }

    /// Writes a file into its folder.
    pub(crate) fn with_file(self, name: &str, text: &str) -> Program {
        if let Some(parent) = Path::new(name).parent() {
            std::fs::create_dir_all(self.folder.path().join(parent)).unwrap();
        }
        self.file(name, text)
    }

    fn file(self, name: &str, text: &str) -> Program {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(executable());
        for (name, _) in std::env::vars_os() {
            let shown = name.to_string_lossy().to_ascii_uppercase();
            if shown.starts_with("OCEAN__") || shown == "RUST_LOG" || shown.ends_with("_PROXY") {
                command.env_remove(name);
            }
        }
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

impl Ended {
    fn of(output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// stdout as JSON lines: nothing else may stand there.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON on stdout: {line}"))
            })
            .collect()
    }

    /// The one JSON object on stdout.
    pub(crate) fn report(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines.remove(0)
    }

    /// The lines on stderr that are no log lines: those begin with a time.
    pub(crate) fn summary(&self) -> Vec<&str> {
        self.stderr
            .lines()
            .filter(|line| !line.starts_with("20"))
            .collect()
    }
}

/// A child process is waited for by a thread of its own: this one serves the API meanwhile.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap().unwrap()
}

/// The program beside this test. `cargo test` has built it; `cargo test --test it` has not, so it is built here when it is
/// missing or older than what it is made of.
pub(crate) fn executable() -> &'static Path {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| {
        let this = std::env::current_exe().unwrap();
        let profile = this.ancestors().nth(2).unwrap();
        let name = format!("ocean_custom{}", std::env::consts::EXE_SUFFIX);
        let executable = profile.join("examples").join(name);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let built = std::fs::metadata(&executable).and_then(|file| file.modified());
        if built.is_ok_and(|built| {
            built >= newest(&root.join("examples/ocean_custom")).max(newest(&root.join("crates")))
        }) {
            return executable;
        }
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--example", "ocean_custom"])
            .arg("--target-dir")
            .arg(profile.parent().unwrap())
            .current_dir(root);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "{cargo:?}");
        executable
    })
}

/// When a file in or below this folder was last changed, tests left out.
fn newest(folder: &Path) -> SystemTime {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| entry.path())
        .filter(|path| !path.ends_with("tests") && !path.ends_with("benches"))
        .map(|path| match std::fs::metadata(&path) {
            Ok(found) if found.is_dir() => newest(&path),
            Ok(found) => found.modified().unwrap(),
            // A dangling link is nothing that the program is made of.
            Err(_) => SystemTime::UNIX_EPOCH,
        })
        .max()
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
