//! What is done now and then while the server runs: room of expunged messages is given back.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::cli::admin::Running;
use crate::log::Text;
use crate::shutdown::Signal;
use crate::storage::Storage;

/// How often. Messages outlive their expunge by the store's grace period in any case, so this only
/// says how large the pieces of work are.
const INTERVAL: Duration = Duration::from_secs(15 * 60);

/// Looks after all storages until the server stops. What is under way then is left to the next
/// start: the store can be left at any point.
pub(crate) async fn keep_house(running: Arc<ArcSwap<Running>>, mut stopping: Signal) {
    tokio::select! {
        () = stopping.stopping() => {}
        () = go_round(&running) => {}
    }
}

async fn go_round(running: &ArcSwap<Running>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        for storage in running.load_full().all_storages() {
            give_back(storage).await;
        }
    }
}

async fn give_back(storage: &Storage) {
    match storage.store.reap().await {
        Ok(0) => {}
        Ok(bytes) => storage
            .log
            .debug("room was given back", &[("bytes", &bytes)]),
        Err(error) => {
            let fields: crate::log::Fields<'_> = &[("reason", &Text(error))];
            storage.log.error("room can't be given back", fields);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shutdown::Shutdown;

    #[tokio::test]
    async fn it_does_not_keep_a_server_that_stops() {
        let shutdown = Shutdown::default();
        tokio::spawn(keep_house(Arc::default(), shutdown.signal()));
        assert_eq!(shutdown.stop(Duration::from_secs(60)).await, 0);
    }
}
