//! Asking EC2 about ids: only its own word about an id says that something does not exist.

use std::collections::BTreeSet;

use crate::error::ObserveError;

/// Ids in one request.
const MAX_IDS: usize = 100;
/// The most requests about one list of ids: each id that does not exist takes about two, and whoever may
/// create sessions must not be able to make every read take thousands.
const MAX_REQUESTS: usize = 200;

/// What EC2 says about some ids. Nothing is known about one that is in neither: it was described in a way
/// that cannot be read, or there were too many to ask about.
pub(crate) struct ById<T, Id> {
    pub(crate) found: Vec<T>,
    pub(crate) not_found: BTreeSet<Id>,
}

/// Asks about these ids with `read`, which fails as a whole where one of them does not exist: then they are
/// asked about by halves, until each that does not exist stands alone.
pub(crate) async fn by_id<T, Id, F>(
    ids: &[Id],
    read: impl Fn(Vec<String>) -> F,
) -> Result<ById<T, Id>, ObserveError>
where
    Id: Clone + Ord + ToString,
    F: Future<Output = Result<Vec<T>, ObserveError>>,
{
    let mut answer = ById { found: Vec::new(), not_found: BTreeSet::new() };
    let mut open: Vec<&[Id]> = ids.chunks(MAX_IDS).rev().collect();
    for _ in 0..MAX_REQUESTS {
        let Some(part) = open.pop() else { return Ok(answer) };
        match (read(part.iter().map(ToString::to_string).collect()).await, part) {
            (Ok(found), _) => answer.found.extend(found),
            (Err(error), [only]) if error.is_not_found() => {
                answer.not_found.insert(only.clone());
            }
            // Anybody may write an odd id into a tag, and that must not fail the read.
            (Err(error), [_]) if error.is_about_ids() => {}
            (Err(error), _) if error.is_about_ids() => {
                let (first, second) = part.split_at(part.len() / 2);
                open.extend([first, second].into_iter().filter(|half| !half.is_empty()));
            }
            (Err(error), _) => return Err(error),
        }
    }
    let left: usize = open.iter().map(|part| part.len()).sum();
    if left > 0 {
        tracing::warn!("EC2 was not asked about {left} ids more: nothing is concluded about them");
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn each_id_gets_its_own_answer_in_few_requests() {
        let ids: Vec<u32> = (0..250).collect();
        let requests = AtomicUsize::new(0);
        let read = |ids: Vec<String>| {
            requests.fetch_add(1, Ordering::Relaxed);
            let is_gone = |id: &String| ["7", "200"].contains(&id.as_str());
            let answer = if ids.iter().any(is_gone) {
                Err(ObserveError::with_code("InvalidInstanceID.NotFound"))
            } else {
                Ok(ids)
            };
            std::future::ready(answer)
        };
        let answer = by_id(&ids, read).await.unwrap();
        assert_eq!(answer.not_found, [7, 200].into());
        assert_eq!(answer.found.len(), 248);
        assert!(requests.into_inner() < 35);
    }

    #[tokio::test]
    async fn the_requests_are_limited_however_many_ids_do_not_exist() {
        let ids: Vec<u32> = (0..10_000).collect();
        let requests = AtomicUsize::new(0);
        let read = |_: Vec<String>| {
            requests.fetch_add(1, Ordering::Relaxed);
            let error = ObserveError::with_code("InvalidInstanceID.NotFound");
            std::future::ready(Err::<Vec<()>, _>(error))
        };
        let answer = by_id(&ids, read).await.unwrap();
        assert_eq!(requests.into_inner(), MAX_REQUESTS);
        assert!(answer.not_found.len() > 90 && answer.not_found.len() < 110);
    }

    #[tokio::test]
    async fn an_id_that_ec2_does_not_like_is_unknown_and_no_obstacle() {
        for (code, is_gone) in [
            ("InvalidTrafficMirrorTargetNoFound", true),
            ("InvalidTrafficMirrorFilterNotFound", true),
            ("InvalidTrafficMirrorTargetId.Malformed", false),
            ("InvalidParameterValue", false),
        ] {
            let read = |ids: Vec<String>| {
                let answer = if ids.contains(&"7".to_owned()) {
                    Err(ObserveError::with_code(code))
                } else {
                    Ok(ids)
                };
                std::future::ready(answer)
            };
            let answer = by_id(&(0..20).collect::<Vec<u32>>(), read).await.unwrap();
            assert_eq!(
                (answer.found.len(), answer.not_found.contains(&7)),
                (19, is_gone),
                "{code}"
            );
        }
    }

    #[tokio::test]
    async fn another_error_says_nothing_about_any_id() {
        let read = |_: Vec<String>| {
            std::future::ready(Err::<Vec<()>, _>(ObserveError::with_code("RequestLimitExceeded")))
        };
        assert!(by_id(&[1], read).await.is_err());
    }
}
