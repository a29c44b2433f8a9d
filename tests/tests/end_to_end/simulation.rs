//! Runs by chance of the functions' own code, in one process.

use local_cloud::simulation::{run, run_all};

/// As many as `make test` has time for; `make simulate` plays more.
const RUNS: u64 = 300;

#[test]
fn whatever_goes_wrong_a_sweep_puts_it_right() {
    let summary = run_all(0..RUNS);
    assert!(summary.failed.is_empty(), "{summary}");
    // Otherwise nothing was put to the test.
    assert!(summary.faults > 1_000 && summary.changes > 1_000, "{summary}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let told = |seed| {
        let run = run(seed);
        let calls = run
            .calls
            .iter()
            .map(|call| format!("{} {} {:?}", call.caller.access_key, call.action, call.outcome));
        (run.story.join("\n"), calls.collect::<Vec<_>>())
    };
    for seed in 1_000..1_005 {
        assert_eq!(told(seed), told(seed));
    }
    assert_ne!(told(1_000), told(1_001));
}
