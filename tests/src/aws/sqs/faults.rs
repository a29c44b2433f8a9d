//! Events that get lost, doubled, delayed or reordered on their way into the queue: the same for the same seed.

use fastrand::Rng;

/// How often events are harmed. The default harms none.
#[derive(Debug, Clone, Default)]
pub struct EventFaults {
    pub seed: u64,
    /// EC2's events are best effort: some never come.
    pub drop_per_mille: u32,
    /// EventBridge and SQS deliver at least once.
    pub duplicate_per_mille: u32,
    /// By one to three rounds, each copy by itself.
    pub delay_per_mille: u32,
    /// Each event comes at a random place among those that wait.
    pub reorder: bool,
}

#[derive(Debug)]
pub(super) struct EventPath {
    faults: EventFaults,
    rng: Rng,
}

impl EventPath {
    pub(super) fn new(faults: EventFaults) -> EventPath {
        EventPath { rng: Rng::with_seed(faults.seed), faults }
    }

    /// The copies of the next event that arrive, each as its delay in rounds.
    pub(super) fn copies(&mut self) -> Vec<u64> {
        if self.happens(self.faults.drop_per_mille) {
            return Vec::new();
        }
        let copies = if self.happens(self.faults.duplicate_per_mille) { 2 } else { 1 };
        (0..copies).map(|_| self.delay()).collect()
    }

    /// Where the next message goes in a queue of this length.
    pub(super) fn place(&mut self, length: usize) -> usize {
        if self.faults.reorder { self.rng.usize(..=length) } else { length }
    }

    fn delay(&mut self) -> u64 {
        if self.happens(self.faults.delay_per_mille) { self.rng.u64(1..=3) } else { 0 }
    }

    fn happens(&mut self, per_mille: u32) -> bool {
        self.rng.u32(..1000) < per_mille
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides() {
        let fates = |seed| {
            let faults = EventFaults {
                seed,
                drop_per_mille: 200,
                duplicate_per_mille: 200,
                delay_per_mille: 200,
                reorder: true,
            };
            let mut path = EventPath::new(faults);
            (0..100).map(|length| (path.copies(), path.place(length))).collect::<Vec<_>>()
        };
        assert_eq!(fates(1), fates(1));
        assert_ne!(fates(1), fates(2));
        let copies: Vec<usize> = fates(1).iter().map(|(copies, _)| copies.len()).collect();
        assert!((0..=2).all(|count| copies.contains(&count)), "{copies:?}");
    }
}
