//! The sink of `--dry-run`: entities as JSON lines on stdout.

use std::io::{BufWriter, Write};
use std::sync::{Mutex, PoisonError};

use longshore_engine::mapping::Entity;
use longshore_engine::{Error, ErrorKind, Evidence, Mark, Reconciled, Sink, Written};

/// Prints entities and keeps nothing.
#[derive(Debug, Default)]
pub(crate) struct DryRun {
    /// One batch is printed as a whole.
    printing: Mutex<()>,
}

#[async_trait::async_trait]
impl Sink for DryRun {
    async fn begin(&self) -> Result<Mark, Error> {
        Ok(Mark::default())
    }

    async fn write(&self, entities: Vec<Entity>) -> Result<Written, Error> {
        let _printing = self.printing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = BufWriter::new(std::io::stdout().lock());
        for entity in &entities {
            serde_json::to_writer(&mut out, entity)
                .map_err(std::io::Error::from)
                .and_then(|()| out.write_all(b"\n"))
                .map_err(stdout_error)?;
        }
        out.flush().map_err(stdout_error)?;
        Ok(Written {
            upserted: entities.len() as u64,
            ..Written::default()
        })
    }

    async fn reconcile(&self, _evidence: Evidence) -> Result<Reconciled, Error> {
        Ok(Reconciled::default())
    }
}

fn stdout_error(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Sink, "stdout cannot be written to").with_source(error)
}
