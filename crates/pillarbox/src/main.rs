//! The program: the server and its command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before there is a second thread, since it takes variables out of the environment.
    pillarbox::net::activation::collect();
    pillarbox::cli::main()
}
