//! Configurations that users are given to begin with.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Checks a configuration whose certificate is somebody else's.
fn verify(text: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pillarbox.conf");
    let lines = text.lines().map(|line| match line.starts_with("tls ") {
        true => "tls self_signed mx.example.org",
        false => line,
    });
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pillarbox"));
    command.arg("--config").arg(&path).arg("verify-config");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "No errors detected\n");
}

#[test]
fn the_packaged_configuration_is_right() {
    verify(&std::fs::read_to_string(root().join("dist/pillarbox.conf")).unwrap());
}

#[test]
fn the_configuration_of_the_readme_is_right() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("\n```\n$(hostname)").unwrap();
    let (text, _) = rest.split_once("\n```\n").unwrap();
    verify(&format!("$(hostname){text}\n"));
}
