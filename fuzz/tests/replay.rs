//! What was found worth keeping is checked again.

use std::{fs, panic, path::Path};

use fuzz::CHECKS;

#[test]
fn every_kept_input_passes_its_check() {
    for (name, check) in CHECKS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let files: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
        assert!(!files.is_empty(), "{name}");
        for file in files {
            let input = fs::read(&file).unwrap();
            assert!(panic::catch_unwind(|| check(&input)).is_ok(), "{}", file.display());
        }
    }
}
