//! Two files, however broken, load or give problems with a place, and no problem shows a secret.
#![no_main]

use libfuzzer_sys::fuzz_target;
use longshore_engine::Config;

/// Between the connection file and the mapping.
const BORDER: &str = "\n%%%\n";
const SECRET: &str = "c4n4ry-5ecret";

fuzz_target!(|files: &str| {
    let (connection, mapping) = files.split_once(BORDER).unwrap_or((files, "resources: []\n"));
    // The environment gives the credentials, so that nothing in the files may show them.
    let loaded = Config::loader()
        .connection_text("config.yaml", connection)
        .mapping_text("mapping.yaml", mapping)
        .environment([
            ("OCEAN__INTEGRATION__CONFIG__API_TOKEN", SECRET),
            ("OCEAN__INTEGRATION__CONFIG__PASSWORD", SECRET),
            ("OCEAN__PORT__CLIENT_SECRET", SECRET),
            ("TOKEN", SECRET),
        ])
        .load();
    match loaded {
        Ok(config) => {
            let shown = format!("{config:?}");
            assert!(!shown.contains(SECRET), "{shown}");
        }
        Err(error) => {
            assert!(!error.problems.is_empty());
            assert!(error.problems.iter().all(|problem| !problem.message.is_empty()));
            let shown = format!("{error}\n{error:?}");
            assert!(!shown.contains(SECRET), "{shown}");
        }
    }
});
