//! Lists page by page. A list whose pages do not end as they should may lack anything, so it is an error.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::error::{ProvideErrorMetadata, SdkError};

use crate::error::ElbError;

/// The largest page (ELB API, `PageSize`).
pub(crate) const PAGE_SIZE: i32 = 400;
/// More load balancers than any quota allows.
const MAX_PAGES: usize = 200;

/// A page, and the marker of the next.
pub(crate) type Page<T> = (Option<Vec<T>>, Option<String>);

/// Reads a list to its end. `ask` asks for the page with this marker.
pub(crate) async fn collect<T, E, F>(
    action: &'static str,
    ask: impl Fn(Option<String>) -> F,
) -> Result<Vec<T>, ElbError>
where
    F: Future<Output = Result<Page<T>, SdkError<E>>>,
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let (mut found, mut marker, mut seen) = (Vec::new(), None, BTreeSet::new());
    while seen.len() < MAX_PAGES {
        let page = ask(marker).await.map_err(|error| ElbError::new(action, error))?;
        found.extend(page.0.unwrap_or_default());
        let Some(next) = page.1.filter(|next| !next.is_empty()) else { return Ok(found) };
        if !seen.insert(next.clone()) {
            return Err(ElbError::incomplete(action, "the same page marker came twice"));
        }
        marker = Some(next);
    }
    Err(ElbError::incomplete(action, "there are more pages than any account fills"))
}
