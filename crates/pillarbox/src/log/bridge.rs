//! What is said through `tracing`, as lines of the log.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::line::{Json, Value, write_string};
use super::{Level, SINK, name_of_target};

static DEBUG: AtomicBool = AtomicBool::new(false);

pub(super) fn install(debug: bool) {
    DEBUG.store(debug, Ordering::Relaxed);
    // A second call finds the bridge in place; only what it lets through has changed.
    let _ = tracing::subscriber::set_global_default(Bridge);
    tracing::callsite::rebuild_interest_cache();
}

/// Events only: nobody asks for spans.
struct Bridge;

impl Subscriber for Bridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let least = if !metadata.target().starts_with("pillarbox") {
            tracing::Level::WARN
        } else if DEBUG.load(Ordering::Relaxed) {
            tracing::Level::DEBUG
        } else {
            tracing::Level::INFO
        };
        metadata.is_event() && *metadata.level() <= least
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut said = Said::default();
        event.record(&mut said);
        let fields: Vec<_> = said
            .fields
            .iter()
            .map(|(k, v)| (*k, v as &dyn Value))
            .collect();
        let name = name_of_target(metadata.target());
        SINK.load()
            .write(level(metadata), &name, &said.message, &fields);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn level(metadata: &Metadata<'_>) -> Level {
    match *metadata.level() {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warning,
        tracing::Level::INFO => Level::Info,
        _ => Level::Debug,
    }
}

#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(&'static str, Json)>,
}

impl Said {
    fn add(&mut self, field: &Field, value: impl Value) {
        let mut json = String::new();
        value.write_json(&mut json);
        self.fields.push((field.name(), Json(json)));
    }
}

impl Visit for Said {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    /// `%value` and the message come here too: their debug form is their display form.
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            let mut json = String::new();
            write_string(&text, &mut json);
            self.fields.push((field.name(), Json(json)));
        }
    }
}
