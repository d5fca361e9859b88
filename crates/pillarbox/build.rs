//! Finds the PAM library, which one helper program links.
//!
//! Its run-time package is on every machine, and has the library under its versioned name only.
//! That will do, since no header is needed: it gets a link with the name that the linker looks for,
//! and nothing has to be installed for the build.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CC");
    println!("cargo::rustc-check-cfg=cfg(pam)");
    match find("libpam.so").or_else(linked) {
        Some(_) => println!("cargo::rustc-cfg=pam"),
        None => println!("cargo::warning=no PAM library: pillarbox-pam-helper will be of no use"),
    }
}

/// The library under its versioned name, as one that the linker finds.
fn linked() -> Option<PathBuf> {
    let directory = PathBuf::from(env::var_os("OUT_DIR")?);
    let link = directory.join("libpam.so");
    let _ = fs::remove_file(&link);
    symlink(find("libpam.so.0")?, &link).ok()?;
    println!("cargo::rustc-link-search=native={}", directory.display());
    Some(link)
}

/// Where the compiler would find this library.
fn find(name: &str) -> Option<PathBuf> {
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    let output = command
        .arg(format!("-print-file-name={name}"))
        .output()
        .ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    // A library that it does not find, it prints as it was asked.
    (path.is_absolute() && path.exists()).then_some(path)
}
