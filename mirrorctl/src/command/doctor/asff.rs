//! A verdict in the AWS Security Finding Format, as an element of `Findings` of `securityhub:BatchImportFindings`.
//! The names, limits and values are those of the Security Hub API Reference, `AwsSecurityFinding`.

use std::{collections::BTreeSet, time::SystemTime};

use serde_json::{Map, Value, json};

use super::verdict::{Resource, Subject, Verdict, told};
use crate::{
    doctor::trouble::Grade,
    log::{millis, written},
};

/// Characters at most.
const TITLE: usize = 256;
const DESCRIPTION: usize = 1024;
const RECOMMENDATION: usize = 512;
const PRODUCT_FIELD: usize = 2048;

/// Security Hub user guide, Types taxonomy for ASFF.
const KIND: &str =
    "Software and Configuration Checks/AWS Security Best Practices/Network Reachability";

/// What a grade is called there.
struct Terms {
    severity: &'static str,
    compliance: &'static str,
    record: &'static str,
    workflow: &'static str,
}

fn terms(grade: Option<Grade>) -> Terms {
    let open =
        |severity, compliance| Terms { severity, compliance, record: "ACTIVE", workflow: "NEW" };
    match grade {
        // The workflow is the customer's once the finding exists: archived it leaves the list of what is open.
        None => Terms {
            severity: "INFORMATIONAL",
            compliance: "PASSED",
            record: "ARCHIVED",
            workflow: "RESOLVED",
        },
        Some(Grade::Limited) => open("LOW", "WARNING"),
        Some(Grade::CannotTell) => open("MEDIUM", "NOT_AVAILABLE"),
        Some(Grade::Broken) => open("HIGH", "FAILED"),
    }
}

pub(super) fn finding(verdict: &Verdict<'_>, now: SystemTime) -> Value {
    let Verdict { account, region, .. } = verdict;
    let (partition, at) = (verdict.partition(), written(millis(now)));
    let Terms { severity, compliance, record, workflow } = terms(verdict.grade());
    let severity = json!({
        "Label": severity, "Original": verdict.grade().map_or("fine", Grade::name),
    });
    let mut finding = json!({
        "SchemaVersion": "2018-10-08",
        "Id": verdict.id(),
        "ProductArn": format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default"),
        "ProductName": "mirrorctl",
        "GeneratorId": generator(verdict.code()),
        "AwsAccountId": account,
        "Region": region,
        "Types": [KIND],
        "CreatedAt": at,
        "UpdatedAt": at,
        "Severity": severity,
        // A finding that exists takes another severity from here only.
        "FindingProviderFields": {"Severity": severity, "Types": [KIND]},
        "Title": shortened(&verdict.title(), TITLE),
        "Description": shortened(&verdict.description(), DESCRIPTION),
        "ProductFields": product_fields(verdict),
        "Resources": resources(verdict),
        "Compliance": {"Status": compliance},
        "RecordState": record,
        "Workflow": {"Status": workflow},
    });
    if let (Some(mend), Some(fields)) = (verdict.mend(), finding.as_object_mut()) {
        let text = shortened(mend, RECOMMENDATION);
        fields.insert("Remediation".to_owned(), json!({"Recommendation": {"Text": text}}));
    }
    finding
}

fn generator(code: Option<&str>) -> String {
    code.map_or_else(|| "mirrorctl/doctor".to_owned(), |code| format!("mirrorctl/doctor/{code}"))
}

fn resources(verdict: &Verdict<'_>) -> Vec<Value> {
    let (partition, region) = (verdict.partition(), verdict.region);
    let resource = |it: Resource<'_>| json!({"Type": it.asff, "Id": it.uid, "Partition": partition, "Region": region});
    verdict.resources().into_iter().map(resource).collect()
}

/// All that has no field of its own: at most 50, and none of them empty.
fn product_fields(verdict: &Verdict<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |name: &str, text: &str| {
        if !text.is_empty() {
            fields.insert(name.to_owned(), shortened(text, PRODUCT_FIELD).into());
        }
    };
    put("mirrorctl/version", env!("CARGO_PKG_VERSION"));
    if let Subject::Source { sessions, targets, .. } = &verdict.subject {
        put("mirrorctl/sessions", &joined(sessions));
        put("mirrorctl/targets", &joined(targets));
    }
    for (link, trouble) in &verdict.links {
        let state = trouble.map_or_else(|| "fine".to_owned(), told);
        put(&format!("mirrorctl/link/{}", link.name()), &state);
    }
    fields
}

fn joined(ids: &BTreeSet<&str>) -> String {
    ids.iter().copied().collect::<Vec<_>>().join(",")
}

/// The text, or its beginning with a sign that there is more.
fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use shared::plan::{advice::advice, reason::REASONS};

    use super::*;
    use crate::{
        doctor::{
            link::Link,
            trouble::{FAULTS, NO_ROUTE, Trouble},
        },
        problem::KINDS,
    };

    #[test]
    fn no_text_is_longer_than_security_hub_takes_it() {
        let trouble = Trouble::new(&NO_ROUTE, "ü".repeat(400), "ü".repeat(5000));
        let mut verdict = Verdict::on_place("111122223333", "cn-north-1", Some(&trouble));
        verdict.links.insert(Link::Route, Some(&trouble));
        let finding = finding(&verdict, SystemTime::UNIX_EPOCH);
        let length = |it: &Value| it.as_str().unwrap().chars().count();
        assert_eq!(length(&finding["Description"]), DESCRIPTION);
        assert_eq!(length(&finding["ProductFields"]["mirrorctl/link/route"]), PRODUCT_FIELD);
        assert!(length(&finding["Title"]) <= TITLE);
        let product = "arn:aws-cn:securityhub:cn-north-1:111122223333:product/111122223333/default";
        assert_eq!(finding["ProductArn"], product);
        assert_eq!(finding["UpdatedAt"], "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_text_that_is_too_long_says_that_there_is_more() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äö…");
    }

    #[test]
    fn no_advice_is_longer_than_a_recommendation() {
        let reasons = REASONS.iter().filter_map(|it| advice(it.code)).map(|it| it.mend);
        let faults = FAULTS.iter().map(|it| it.mend);
        for mend in KINDS.iter().map(|it| it.mend).chain(faults).chain(reasons) {
            assert!(mend.chars().count() <= RECOMMENDATION, "{mend}");
        }
    }
}
