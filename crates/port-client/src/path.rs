//! Names as segments of Port's URLs.

use longshore_transport::path_segment;

use crate::{Error, ErrorKind};

/// `name` percent-encoded as one path segment. `what` it is appears in the error.
///
/// # Errors
///
/// What cannot stand in a path without a chance of being read as another path.
pub(crate) fn segment(what: &str, name: &str) -> Result<String, Error> {
    path_segment(name).map_err(|why| {
        Error::new(
            ErrorKind::Name,
            format!(
                "{what} {why}, so there is no URL for it: correct it in the mapping or in the settings"
            ),
        )
    })
}
