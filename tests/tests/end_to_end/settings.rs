//! automirror reads its settings when it starts; it does not start with an invalid one.

use local_cloud::{
    cloud::{Cloud, Options},
    deployment::worker,
    lambda::{InvokeError, LogLine},
};

use crate::stage::{Stage, machine, tagged};

#[tokio::test]
async fn a_bad_setting_ends_the_start_with_one_line_that_names_it() {
    let cloud = Cloud::start(&Options::default()).unwrap();
    for (name, value, accepted) in [
        ("MIRROR_SCOPE", "some", "accepted is `tagged` or `all`"),
        ("MIRROR_TARGET_IDS", "tmt-1,x", "starts with `tmt-`"),
        ("MIRROR_PACKET_LENGTH", "9001", "accepted is a whole number from 1 to 8500"),
        ("MIRROR_TAG_VALUE", "False", "any value but False"),
        ("MIRROR_TAG_KEY", "Mirror-Filter", "any key but Mirror-Target"),
        ("MIRROR_MODE", "off\nnow", "accepted is `enforce` or `detect`"),
    ] {
        let error = worker(&cloud, &[(name, value)]).await.unwrap_err();
        let Some(InvokeError::InitFailed { status, log }) = error.downcast_ref() else {
            panic!("{error:?}");
        };
        assert_eq!(status.code(), Some(1));
        let [LogLine::Json(line)] = &log[..] else { panic!("{name}: {log:?}") };
        let message = line["fields"]["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{name} is ")), "{message}");
        assert!(message.contains(accepted) && message.lines().count() == 1, "{message}");
    }
}

#[tokio::test]
async fn a_mistyped_setting_ends_the_start_too() {
    let cloud = Cloud::start(&Options::default()).unwrap();
    let error = worker(&cloud, &[("MIRROR_INTERFACE", "primary")]).await.unwrap_err();
    let Some(InvokeError::InitFailed { log, .. }) = error.downcast_ref() else {
        panic!("{error:?}");
    };
    let [LogLine::Json(line)] = &log[..] else { panic!("{log:?}") };
    let message = line["fields"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("`MIRROR_INTERFACE` is not a setting: the settings are "),
        "{message}"
    );
}

#[tokio::test]
async fn the_log_follows_lambdas_own_settings() {
    let text = Stage::new(&[("AWS_LAMBDA_LOG_FORMAT", "Text")]).await;
    text.launch(&tagged());
    text.let_run();
    let log = text.sweep().await.log;
    assert!(log.iter().all(|line| matches!(line, LogLine::Text(_))), "{log:?}");

    let quiet = Stage::new(&[("AWS_LAMBDA_LOG_LEVEL", "WARN")]).await;
    quiet.launch(&tagged());
    quiet.launch(&machine(&[("Mirror", "True"), ("Mirror-Target", "odd")]));
    quiet.let_run();
    let log = quiet.sweep().await.log;
    let [LogLine::Json(line)] = &log[..] else { panic!("{log:?}") };
    assert_eq!(line["level"], "WARN");
}

#[tokio::test]
async fn a_change_and_the_summary_carry_their_fields() {
    let stage = Stage::new(&[]).await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let log = stage.sweep().await.log;
    let [LogLine::Json(change), LogLine::Json(summary)] = &log[..] else { panic!("{log:?}") };
    let fields = &change["fields"];
    let session = stage.session(&instance);
    assert_eq!(fields["instance_id"], instance);
    assert_eq!(fields["source_id"], session.interface);
    assert_eq!(fields["session_id"], session.id);
    assert_eq!(fields["session_number"], session.number);
    assert_eq!(fields["target_id"], session.target);
    assert_eq!(fields["filter_id"], session.filter);
    assert_eq!(fields["action"], "create");
    assert_eq!(fields["reason"], "not-mirrored");
    let fields = &summary["fields"];
    assert_eq!((&fields["steps"], &fields["created"]), (&1.into(), &1.into()));
}

#[tokio::test]
async fn without_a_level_what_informs_is_logged() {
    let stage = Stage::new(&[("AWS_LAMBDA_LOG_LEVEL", "")]).await;
    let invocation = stage.sweep().await;
    assert_eq!(crate::stage::summary_line(&invocation)["sweep"], true);
}
