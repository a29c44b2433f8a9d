//! What sessions cost.

use serde::Serialize;

/// Hours of a month, as AWS's calculator has them.
const HOURS: f64 = 730.0;

/// What sessions cost in a month, in USD.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Price {
    pub(crate) sessions: usize,
    pub(crate) usd_per_month: f64,
}

impl Price {
    /// `hourly` is the price of a session, in USD. AWS bills the owner of the interface for each session
    /// ("Pricing", VPC Traffic Mirroring); data, load balancers and endpoints cost extra.
    pub(crate) fn new(sessions: usize, hourly: f64) -> Self {
        // Cents, so that no machine sees the noise of floating point.
        let count = f64::from(u32::try_from(sessions).unwrap_or(u32::MAX));
        let usd_per_month = (count * hourly * HOURS * 100.0).round() / 100.0;
        Self { sessions, usd_per_month }
    }
}

impl std::fmt::Display for Price {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} USD a month", self.usd_per_month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_costs_about_eleven_dollars() {
        assert_eq!(Price::new(1, 0.015).to_string(), "10.95 USD a month");
        assert_eq!(Price::new(3, 0.015).to_string(), "32.85 USD a month");
    }
}
