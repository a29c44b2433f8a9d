//! The second witness: what a list did not show is asked about before anything is concluded from that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use shared::{
    id::{FilterId, InstanceId, InterfaceId, TargetId},
    observed::{Instance, Observed, Owner, Shown, Source, Tag},
    plan::question::Question,
};

use crate::{
    ask::Query, by_id::ById, call, described::Described, error::ObserveError, interfaces,
    reader::Reader, targets::hidden_instance,
};

/// At most this many targets and filters are asked about in one read. Tags may name any number that do not
/// exist, each of which takes two requests; what is not asked about stays unknown.
const MAX_NAMED: usize = 20;

/// The questions of one read, by what they are about.
#[derive(Default)]
struct Open {
    tags: Vec<InstanceId>,
    interfaces: Vec<InterfaceId>,
    targets: Vec<TargetId>,
    filters: Vec<FilterId>,
}

impl Open {
    fn new(questions: impl IntoIterator<Item = Question>) -> Self {
        let mut open = Self::default();
        for question in questions {
            match question {
                Question::Tags(id) => open.tags.push(id),
                Question::Interface(id) => open.interfaces.push(id),
                Question::Target(id) => open.targets.push(id),
                Question::Filter(id) => open.filters.push(id),
            }
        }
        open.targets.truncate(MAX_NAMED);
        open.filters.truncate(MAX_NAMED);
        open
    }
}

/// Asks EC2 these questions, and enters the answers into what was observed.
pub(crate) async fn answer(
    reader: &Reader<'_>,
    observed: &mut Observed,
    questions: impl IntoIterator<Item = Question>,
) -> Result<(), ObserveError> {
    let client = &reader.ec2.client;
    let open = Open::new(questions);
    confirm_tags(reader, observed, &open.tags).await?;
    let interfaces =
        interfaces::interfaces_by_id(reader.ec2, reader.policy, &open.interfaces).await?;
    enter_interfaces(observed, interfaces);
    adopt_instances(reader, observed).await?;
    let targets = call::targets_by_id(client, &open.targets).await?;
    observed.targets.extend(targets.found);
    observed.not_found.targets.extend(targets.not_found);
    let filters = call::filters_by_id(client, &open.filters).await?;
    observed.filters.extend(filters.found);
    observed.not_found.filters.extend(filters.not_found);
    Ok(())
}

/// Adds the tags that only the second read shows. Where both show a tag, the second read is newer.
async fn confirm_tags(
    reader: &Reader<'_>,
    observed: &mut Observed,
    ids: &[InstanceId],
) -> Result<(), ObserveError> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut tags: BTreeMap<&InstanceId, Vec<Tag>> = ids.iter().map(|id| (id, Vec::new())).collect();
    for (id, tag) in call::tags(&reader.ec2.client, reader.policy, ids).await? {
        if let Some(tags) = tags.get_mut(&id) {
            tags.push(tag);
        }
    }
    let mut confirmed: BTreeMap<InstanceId, Arc<Instance>> = BTreeMap::new();
    for instance in &mut observed.instances {
        if let Some(tags) = tags.remove(&instance.id) {
            *instance = Arc::new(with_tags(instance, tags));
            confirmed.insert(instance.id.clone(), instance.clone());
        }
    }
    for source in &mut observed.sources {
        if let Shown::Yes(interface) = &mut source.interface
            && let Owner::Instance(instance) = &mut interface.owner
            && let Some(confirmed) = confirmed.get(&instance.id)
        {
            *instance = confirmed.clone();
        }
    }
    Ok(())
}

/// Where the two reads show one tag with different values, neither can be called right, and nothing is
/// confirmed.
fn with_tags(instance: &Instance, tags: Vec<Tag>) -> Instance {
    let mut all: BTreeMap<_, _> =
        instance.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    let mut tags_confirmed = true;
    for Tag { key, value } in tags {
        let shown = all.entry(key).or_insert_with(|| value.clone());
        tags_confirmed &= *shown == value;
    }
    let tags = all.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Instance { tags, tags_confirmed, ..instance.clone() }
}

fn enter_interfaces(observed: &mut Observed, answer: ById<Source, InterfaceId>) {
    let mut found: BTreeMap<_, _> =
        answer.found.into_iter().map(|source| (source.id, source.interface)).collect();
    for source in &mut observed.sources {
        if let Some(interface) = found.remove(&source.id) {
            source.interface = interface;
        } else if answer.not_found.contains(&source.id) {
            source.interface = Shown::NotFound;
        }
    }
}

/// Reads the instances that a list left out: an owned session is on an interface that names them.
pub(crate) async fn adopt_instances(
    reader: &Reader<'_>,
    observed: &mut Observed,
) -> Result<(), ObserveError> {
    let mirrored = reader.mirrored(&observed.sessions);
    let left_out = observed.sources.iter().filter(|source| mirrored.contains(&source.id));
    let ids: BTreeSet<_> = left_out.filter_map(|source| hidden_instance(source)).collect();
    let query = Query::by("instance-id", ids.iter().map(|id| id.as_str()));
    let Described { instances, sources } =
        call::instances(reader.ec2, reader.policy, &query, |_| true).await?;
    let shown: BTreeSet<_> = sources.iter().map(|source| &source.id).collect();
    observed.sources.retain(|source| !shown.contains(&source.id));
    let adopted: BTreeSet<_> = instances.iter().map(|instance| &instance.id).collect();
    observed.instances.retain(|instance| !adopted.contains(&instance.id));
    observed.instances.extend(instances);
    observed.sources.extend(sources);
    Ok(())
}
