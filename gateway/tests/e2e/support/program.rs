//! Clients that are programs of their own, such as curl.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::eventually::soon;

/// What a program says, on either stream, that is run in a folder and told this
/// on its standard input.
pub(crate) async fn run_program(line: &str, folder: &Path, input: &str) -> String {
    let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
    let (folder, input) = (folder.to_owned(), input.to_owned());
    // In a thread, so that servers of this process can answer meanwhile.
    let running = tokio::task::spawn_blocking(move || {
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} is not installed: {error}", words[0]));
        let mut stdin = child.stdin.take().expect("it is piped");
        // A program that has ended already takes nothing.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("it is our child");
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned())
    });
    let said = soon("the program ends", running).await;
    said.expect("no panic").concat()
}
