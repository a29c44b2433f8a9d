//! Whether packets arrive: what the targets receive, as mirrorctl reads it on a sensor.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::{Context, ensure};
use local_cloud::aws::ec2::{Interface, vxlan::pcap};
use local_cloud::lambda::binary::binary;
use serde_json::Value;

use crate::label::{self, count};
use crate::screen::{GREEN, RED};
use crate::stage::Stage;

/// A sender that mirrorctl has seen.
struct Sender {
    address: Ipv4Addr,
    vni: u64,
    packets: usize,
}

impl Stage {
    /// Captures what comes to these targets, lets mirrorctl say who sends, and checks that exactly the instances
    /// `seen` do, and why those that are `silent` do not.
    pub(crate) fn watch(
        &mut self,
        targets: &[&str],
        seen: &[&str],
        silent: &[&str],
    ) -> anyhow::Result<()> {
        let mut names: BTreeMap<String, Vec<Sender>> = BTreeMap::new();
        for sender in self.senders(targets)? {
            names.entry(self.sender_name(&sender)?).or_default().push(sender);
        }
        for (name, senders) in &names {
            let of = |it: &Sender| {
                let packets = count(it.packets, "packet");
                format!("{packets} from {} with VNI {}", it.address, it.vni)
            };
            let text = senders.iter().map(of).collect::<Vec<_>>().join(", ");
            self.screen.detail((GREEN, "seen"), &format!("{name}: {text}"))?;
        }
        let found: BTreeSet<_> = names.keys().map(String::as_str).collect();
        let expected: BTreeSet<_> = seen.iter().copied().collect();
        ensure!(found == expected, "packets of {found:?} arrive, not of {expected:?}");
        let arrived = seen.join(", ");
        self.screen.row((GREEN, "seen"), &format!("{arrived}, and no other instance"))?;
        let reasons = silent.iter().map(|name| self.reason(name)).collect::<Result<Vec<_>, _>>()?;
        self.screen.row((RED, "silent"), &reasons.join(", "))?;
        Ok(())
    }

    /// An instance and why it is not mirrored: the code, since the scene in which it came up has the sentence.
    fn reason(&self, name: &str) -> anyhow::Result<String> {
        let instance = self.instance(name)?.id;
        let verdict = self.verdict(&instance).with_context(|| format!("no verdict on {name}"))?;
        let why = verdict.annotation.as_deref().unwrap_or_default();
        let (code, _) = why.split_once(' ').context("the verdict has no reason")?;
        Ok(format!("{name} {instance} {code}"))
    }

    /// What `mirrorctl seen` says of a capture on the sensors.
    fn senders(&mut self, targets: &[&str]) -> anyhow::Result<Vec<Sender>> {
        let world = self.deployment.cloud.world();
        let mut copies = world.copies();
        copies.retain(|copy| targets.contains(&copy.target.as_str()));
        let start = u32::try_from(world.now)?;
        drop(world);
        let path = std::env::temp_dir().join(format!("demo-{}.pcap", std::process::id()));
        std::fs::write(&path, pcap(&copies, start))?;
        let captured = count(copies.len(), "packet");
        self.tell("alice", &format!("captures UDP port 4789 on the sensors: {captured}"))?;
        let mut seen = Command::new(binary("mirrorctl"));
        let output = seen.args(["seen", "--output", "ndjson"]).arg(&path).output();
        std::fs::remove_file(&path)?;
        let output = output?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout)?;
        let senders = lines.lines().filter_map(|line| Sender::read(line).transpose());
        senders.collect()
    }

    /// The instance that sends with this address in the session with this VNI.
    fn sender_name(&self, sender: &Sender) -> anyhow::Result<String> {
        let world = self.deployment.cloud.world();
        let mut sessions = world.sessions().filter(|it| u64::from(it.vni) == sender.vni);
        let interface = sessions.find_map(|session| {
            world.interface(&session.interface).filter(|it| it.ipv4 == Some(sender.address))
        });
        let instance = interface.and_then(Interface::instance);
        let instance = instance.with_context(|| format!("nobody has {}", sender.address))?;
        Ok(label::instance_name(&world, instance))
    }
}

impl Sender {
    /// Of one line of `mirrorctl seen --output ndjson`, if it is about a sender.
    fn read(line: &str) -> anyhow::Result<Option<Self>> {
        let line: Value = serde_json::from_str(line)?;
        if line.get("type").and_then(Value::as_str) != Some("sender") {
            return Ok(None);
        }
        let number = |name| line.get(name).and_then(Value::as_u64).context("a number is missing");
        let address = line.get("address").and_then(Value::as_str).context("no address")?;
        let packets = usize::try_from(number("packets")?)?;
        Ok(Some(Self { address: address.parse()?, vni: number("vni")?, packets }))
    }
}
