//! A verdict in the Open Cybersecurity Schema Framework, as a Compliance Finding. The names and numbers are those of
//! schema.ocsf.io, version 1.5.0, class `compliance_finding` with the profile `cloud`.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::verdict::{Resource, Verdict, told};
use crate::{
    doctor::{
        link::Link,
        trouble::{Grade, Trouble},
    },
    log::millis,
};

const VERSION: &str = "1.5.0";
const CLASS: u32 = 2003;

/// A number of the schema, with its caption.
type Term = (u32, &'static str);

fn severity(grade: Option<Grade>) -> Term {
    match grade {
        None => (1, "Informational"),
        Some(Grade::Limited) => (2, "Low"),
        Some(Grade::CannotTell) => (3, "Medium"),
        Some(Grade::Broken) => (4, "High"),
    }
}

/// The result of a check.
fn result(grade: Option<Grade>) -> Term {
    match grade {
        None => (1, "Pass"),
        Some(Grade::Limited) => (2, "Warning"),
        Some(Grade::CannotTell) => (0, "Unknown"),
        Some(Grade::Broken) => (3, "Fail"),
    }
}

pub(super) fn finding(verdict: &Verdict<'_>, now: SystemTime) -> Value {
    // Nothing is remembered from run to run: a finding is made, or closed.
    let (activity, status): (Term, Term) = match verdict.grade() {
        None => ((3, "Close"), (4, "Resolved")),
        Some(_) => ((1, "Create"), (1, "New")),
    };
    let severity = severity(verdict.grade());
    let (at, description) = (millis(now), verdict.description());
    let mut finding = json!({
        "metadata": metadata(),
        "category_uid": 2, "category_name": "Findings",
        "class_uid": CLASS, "class_name": "Compliance Finding",
        "activity_id": activity.0, "activity_name": activity.1,
        "type_uid": CLASS * 100 + activity.0,
        "type_name": format!("Compliance Finding: {}", activity.1),
        "severity_id": severity.0, "severity": severity.1,
        "status_id": status.0, "status": status.1,
        "time": at,
        "message": description,
        "finding_info": {
            "uid": verdict.id(), "title": verdict.title(), "desc": description,
            "modified_time": at,
        },
        "compliance": compliance(verdict),
        "resources": resources(verdict),
        "cloud": {
            "provider": "AWS", "region": verdict.region, "cloud_partition": verdict.partition(),
            "account": {"uid": verdict.account, "type_id": 10, "type": "AWS Account"},
        },
    });
    if let (Some(mend), Some(fields)) = (verdict.mend(), finding.as_object_mut()) {
        fields.insert("remediation".to_owned(), json!({"desc": mend}));
    }
    finding
}

fn metadata() -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let product = json!({
        "name": "mirrorctl", "vendor_name": "automirror", "version": version,
        "feature": {"name": "doctor"},
    });
    json!({"version": VERSION, "profiles": ["cloud"], "product": product})
}

fn compliance(verdict: &Verdict<'_>) -> Value {
    let (number, caption) = result(verdict.grade());
    let checks: Vec<_> =
        verdict.links.iter().map(|(link, trouble)| check(*link, *trouble)).collect();
    json!({
        "control": "mirrorctl doctor",
        "desc": "The packets of each source that is mirrored arrive at its sensor",
        "status_id": number, "status": caption,
        "status_code": verdict.code().unwrap_or("fine"),
        "checks": checks,
    })
}

/// A link, with what is wrong with it.
fn check(link: Link, trouble: Option<&Trouble>) -> Value {
    let (number, caption) = result(trouble.map(|trouble| trouble.grade));
    let desc = trouble.map_or_else(|| "fine".to_owned(), told);
    json!({"name": link.name(), "status_id": number, "status": caption, "desc": desc})
}

fn resources(verdict: &Verdict<'_>) -> Vec<Value> {
    let (region, partition) = (verdict.region, verdict.partition());
    let resource = |Resource { kind, name, uid, .. }: Resource<'_>| {
        json!({
            "uid": uid, "name": name, "type": kind, "region": region, "cloud_partition": partition,
        })
    };
    verdict.resources().into_iter().map(resource).collect()
}
