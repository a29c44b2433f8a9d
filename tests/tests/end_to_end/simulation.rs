//! Random runs of the functions' own code, in one process.

use std::time::Duration;

use local_cloud::simulation::{
    heal::{INCIDENTS, heal},
    run, run_all,
    rush::{Rush, backlog, refused, rush},
};

/// As many as `make test` has time for; `make simulate` plays more.
const RUNS: u64 = 250;

#[test]
fn whatever_goes_wrong_a_sweep_corrects_it() {
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
        calls.chain(run.story).collect::<Vec<_>>()
    };
    for seed in 1_000..1_003 {
        let (first, second) = (told(seed), told(seed));
        let differ = first.iter().zip(&second).find(|(first, second)| first != second);
        let ends = [first.last(), second.last()];
        assert_eq!((first.len(), differ), (second.len(), None), "seed {seed}: {ends:?}");
    }
    assert_ne!(told(1_000), told(1_001));
}

#[test]
fn creation_uses_its_share_of_ec2s_rate_and_leaves_the_rest_to_others() {
    let Rush { sessions, throttled, others, others_throttled, time } = rush(600, &[80]);
    assert_eq!((sessions, throttled, others_throttled), (600, 0, 0));
    assert!(others > 100, "{others}");
    // 40 of 50 at once, then 4 of 5 a second.
    let least = Duration::from_secs((600 - 40) / 4);
    assert!((least..least * 110 / 100).contains(&time), "{time:?}");
}

#[test]
fn execution_environments_that_together_exceed_ec2s_rate_still_mirror_everything() {
    let Rush { sessions, throttled, time, .. } = rush(600, &[100, 100]);
    assert_eq!(sessions, 600);
    assert!(throttled > 0, "otherwise nothing was put to the test");
    // 50 at once, then 5 a second, of which another caller takes one.
    assert!(time < Duration::from_secs((600 - 50) / 4 * 120 / 100), "{time:?}");
}

#[test]
fn instances_that_ec2_refuses_permanently_do_not_keep_sweeps_from_the_others() {
    let tried = refused(400, 6);
    assert!(tried[0] < 300, "one sweep tries {}: nothing was put to the test", tried[0]);
    assert_eq!(tried.last(), Some(&400), "{tried:?}");
}

#[test]
fn many_deletions_leave_time_for_creations() {
    let (deleted, created) = backlog(600, 5);
    assert_eq!(created, 5);
    assert!((150..600).contains(&deleted), "{deleted}: nothing was put to the test");
    let (deleted, created) = backlog(100, 600);
    assert_eq!(deleted, 100, "what fits into half of the time");
    assert!((100..600).contains(&created), "{created}: nothing was put to the test");
}

#[test]
fn while_ec2_is_well_a_session_is_there_within_35_seconds() {
    for (incident, name) in INCIDENTS {
        for seed in 0..20 {
            let time = heal(incident, seed);
            assert!(time < Duration::from_secs(35), "{name}, seed {seed}: {time:?}");
        }
    }
}
