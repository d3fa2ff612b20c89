//! Compiling components: in a child process of limited means, one at a time of
//! those that are uploaded and one of those that a change needs, because a
//! stranger's component can make a compiler work for minutes.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use gatewright_model::id::Digest;
use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use wasmtime::Engine;

use crate::code;
use crate::engine;
use crate::journal::cut;

/// What a compilation may take. As with memory, a component comes first and has
/// all of the time; its main module gets what is left.
pub const COMPILATION: Means = Means {
    cpu_seconds: 180,
    memory: 2 << 30,
};

/// How much a child process stands back behind traffic.
const NICENESS: i32 = 5;

/// How long a compilation may take by the wall clock, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often the child is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Bytes of what a child says about its failure.
const REASON_BYTES: u64 = 4096;

/// Where components are compiled.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// In a child: `PROGRAM compile`, which reads a component from its standard
    /// input and writes compiled code to its standard output. It is to call
    /// [`lower_limits`] and [`compile`].
    Child {
        /// The program, such as `/proc/self/exe`.
        program: PathBuf,
    },
    /// In this process: for tests, benches and the offline tools.
    InProcess,
}

/// What a child process that works on a stranger's component may take.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// Processor time, in seconds.
    pub cpu_seconds: u64,
    /// Memory of its own that it may write to, in bytes. Address space is not
    /// limited: linear memories reserve a lot of it, and how code is compiled
    /// depends on how much there is.
    pub memory: u64,
}

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The compiler does not take it.
    #[error("it cannot be compiled: {0}; is the build finished?")]
    Refused(String),
    /// It took too much time or memory.
    #[error("it was not compiled: the compiler {0}; a smaller component would do")]
    TooLaborious(String),
    /// There would be more code than a component of its size may become.
    #[error(
        "it was not compiled: it would be more than {} MiB of code, which is more than one of its size may become; a component with smaller tables and memories would do", most >> 20
    )]
    TooMuch {
        /// Bytes that it may become.
        most: u64,
    },
    /// What was compiled could not be handed on.
    #[error("the compiled code cannot be written: {0}")]
    Unwritten(#[source] io::Error),
    /// The child could not be run.
    #[error("the compiler cannot be run: {0}")]
    Child(#[source] io::Error),
}

/// Compile a component for the engine that decisions run on, and its main
/// module behind it where that can be run directly. The component's code is
/// written as soon as it is there: if the rest fails, or this process comes to
/// its limits over it, whoever reads can do without the rest.
///
/// # Errors
///
/// When it is not a valid component, the engine cannot be set up, there is more
/// code than a component of its size may become, `out` does not take the code,
/// or the main module cannot be compiled.
pub fn compile(component: &[u8], out: impl Write) -> Result<(), CompileError> {
    let engine = engine::engine();
    let engine = engine.map_err(|error| CompileError::Refused(format!("{error:#}")))?;
    code::compile(&engine, component, out)
}

/// Limit this process to some means: processor time and memory, behind
/// traffic, and no more time than the thread lives that waits for it. For child
/// processes, before they read anything of a stranger's; [`COMPILATION`] before
/// [`compile`].
///
/// # Errors
///
/// When the system refuses.
pub fn lower_limits(means: Means) -> io::Result<()> {
    let limit = |most: u64| Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    set_parent_process_death_signal(Some(Signal::KILL))?;
    nice(NICENESS)?;
    setrlimit(Resource::Cpu, limit(means.cpu_seconds))?;
    setrlimit(Resource::Data, limit(means.memory))?;
    Ok(())
}

/// Whom a component is compiled for. Nobody who changes something waits for what
/// somebody else uploads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Queue {
    /// A change, which holds the changes behind it up.
    Changes,
    /// An upload.
    Uploads,
}

/// A compiler that takes one component of each queue at a time, and none twice.
#[derive(Debug)]
pub(crate) struct Compiling {
    compiler: Compiler,
    changes: Mutex<()>,
    uploads: Mutex<()>,
    /// What is being compiled.
    under_way: Mutex<Vec<Digest>>,
    ended: Condvar,
}

/// The turn to compile a component; the next one's once it is dropped.
pub(crate) struct Turn<'c> {
    compiling: &'c Compiling,
    digest: Digest,
    _queue: MutexGuard<'c, ()>,
}

impl Compiling {
    pub(crate) fn new(compiler: Compiler) -> Self {
        Self {
            compiler,
            changes: Mutex::default(),
            uploads: Mutex::default(),
            under_way: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    /// Wait until those before it in its queue are done, and until nobody of the other
    /// queue compiles the same: whoever has the turn looks first whether it was done
    /// meanwhile.
    pub(crate) fn turn(&self, digest: Digest, queue: Queue) -> Turn<'_> {
        let queue = match queue {
            Queue::Changes => &self.changes,
            Queue::Uploads => &self.uploads,
        };
        let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = self.under_way();
        let is_it = |under_way: &mut Vec<Digest>| under_way.contains(&digest);
        let under_way = self.ended.wait_while(under_way, is_it);
        let mut under_way = under_way.unwrap_or_else(PoisonError::into_inner);
        under_way.push(digest);
        Turn {
            compiling: self,
            digest,
            _queue: queue,
        }
    }

    fn under_way(&self) -> MutexGuard<'_, Vec<Digest>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Compile the component that it is the turn of.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        component: &[u8],
    ) -> Result<Vec<u8>, CompileError> {
        match &self.compiling.compiler {
            Compiler::Child { program } => in_child(program, component),
            Compiler::InProcess => {
                let mut code = Vec::new();
                let ended = code::compile(engine, component, &mut code);
                code::settle(ended, code)
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut under_way = self.compiling.under_way();
        under_way.retain(|digest| *digest != self.digest);
        self.compiling.ended.notify_all();
    }
}

fn in_child(program: &Path, component: &[u8]) -> Result<Vec<u8>, CompileError> {
    let mut child = Command::new(program)
        .arg("compile")
        // It needs none of it, and what is compiled is a stranger's.
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(CompileError::Child)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let most = code::most_code(component.len());
    // Three pipes at once, or the child and we would wait for each other.
    let (status, code, reason) = thread::scope(|scope| {
        scope.spawn(move || {
            // A child that gave up does not read to the end; its status tells.
            let _ = stdin.map(|mut stdin| stdin.write_all(component));
        });
        let code = scope.spawn(move || read(stdout, most + 1));
        let reason = scope.spawn(move || read(stderr, REASON_BYTES));
        let status = wait(&mut child);
        (status, code.join(), reason.join())
    });
    let status = status.map_err(CompileError::Child)?;
    let code = code.unwrap_or_else(|_| Ok(Vec::new()));
    let code = code.map_err(CompileError::Child)?;
    if code.len() as u64 > most {
        return Err(CompileError::TooMuch { most });
    }
    let ended = match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => {
            let reason = reason.ok().and_then(Result::ok).unwrap_or_default();
            Err(failed(status, &reason))
        }
        None => {
            let reason = format!("was stopped after {} s", PATIENCE.as_secs());
            Err(CompileError::TooLaborious(reason))
        }
    };
    code::settle(ended, code)
}

fn read(pipe: Option<impl Read>, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.by_ref().take(limit).read_to_end(&mut bytes)?;
        // What is too much is taken off the pipe all the same.
        io::copy(&mut pipe, &mut io::sink())?;
    }
    Ok(bytes)
}

/// Wait for the child; none when it took too long and was stopped.
fn wait(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn failed(status: ExitStatus, reason: &[u8]) -> CompileError {
    let mut reason = String::from_utf8_lossy(reason).trim().to_owned();
    cut(&mut reason, REASON_BYTES as usize);
    match status.code() {
        Some(_) => CompileError::Refused(reason),
        // Killed by a signal: out of processor time, or of memory.
        None => CompileError::TooLaborious(format!("ended by {status}: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A script in the child's place. Another process writes the program: what
    /// this one has open for writing, a child that another test starts has open
    /// too for a moment, and nobody can run it meanwhile.
    fn child(script: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (text, program) = (folder.path().join("text"), folder.path().join("compiler"));
        std::fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mut install = Command::new("install");
        let installed = install.args(["-m", "700"]).arg(&text).arg(&program);
        assert!(installed.status().unwrap().success());
        (folder, program)
    }

    #[test]
    fn what_one_queue_compiles_the_other_waits_for_and_for_nothing_else() {
        let compiling = Compiling::new(Compiler::InProcess);
        let [one, other] = [1, 2].map(|first| Digest([first; 32]));
        let ahead = compiling.turn(one, Queue::Uploads);
        drop(compiling.turn(other, Queue::Changes));
        let is_compiled = AtomicBool::new(false);
        thread::scope(|scope| {
            let change = scope.spawn(|| {
                let _turn = compiling.turn(one, Queue::Changes);
                is_compiled.load(Ordering::SeqCst)
            });
            // It has the turn of its queue, and waits for the component's.
            while compiling.changes.try_lock().is_ok() {
                thread::yield_now();
            }
            is_compiled.store(true, Ordering::SeqCst);
            drop(ahead);
            assert!(change.join().unwrap());
        });
        assert!(compiling.under_way().is_empty());
    }

    #[test]
    fn a_child_gets_the_component_and_gives_the_code() {
        let (_folder, program) = child("test \"$1\" = compile && cat");
        // More than a pipe holds, both ways.
        let component = vec![42; 1 << 20];
        assert_eq!(in_child(&program, &component).unwrap(), component);
    }

    #[test]
    fn no_more_is_read_of_a_child_than_the_component_may_become() {
        let (_folder, program) = child("cat > /dev/null; head -c 20000000 /dev/zero");
        let error = in_child(&program, b"").unwrap_err();
        assert!(matches!(error, CompileError::TooMuch { .. }), "{error}");
    }

    #[test]
    fn a_child_is_told_nothing_of_the_environment() {
        let (_folder, program) = child("cat > /dev/null; tr '\\0' '\\n' < /proc/$$/environ");
        assert_eq!(in_child(&program, b"").unwrap(), b"");
    }

    #[test]
    fn a_childs_refusal_is_passed_on() {
        let (_folder, program) = child("echo 'bad magic number' >&2; exit 1");
        let error = in_child(&program, b"").unwrap_err();
        assert!(matches!(&error, CompileError::Refused(reason) if reason == "bad magic number"));
    }

    #[test]
    fn a_child_that_is_killed_has_worked_too_hard() {
        let (_folder, program) = child("kill -XCPU $$; kill -KILL $$");
        let error = in_child(&program, b"").unwrap_err();
        assert!(matches!(error, CompileError::TooLaborious(_)), "{error}");
    }

    #[test]
    fn a_child_that_fails_over_the_main_module_has_compiled_the_component() {
        let component = code::lay_out(b"whole", b"");
        let half_way = code::lay_out(b"whole", b"half of the ma");
        for end in ["kill -KILL $$", "echo 'out of ideas' >&2; exit 1"] {
            let (_folder, program) = child(&format!("cat; {end}"));
            assert_eq!(in_child(&program, &half_way).unwrap(), component);
            let error = in_child(&program, &component[..component.len() - 1]);
            assert!(error.is_err(), "{end}");
        }
    }

    #[test]
    fn a_child_that_is_not_there_is_said_so() {
        let error = in_child(Path::new("/nowhere/at/all"), b"").unwrap_err();
        assert!(matches!(error, CompileError::Child(_)));
    }
}
