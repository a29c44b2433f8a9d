//! How a reason is written down: one entry with what it means, its facts, its code, its level and its
//! sentence.

/// What a reason means for its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is mirrored as it should be.
    Mirrored,
    /// automirror changes a session.
    Change,
    /// It should not be mirrored.
    NotSelected,
    /// It should be mirrored, and EC2 cannot mirror it.
    Unsupported,
    /// It should be mirrored, and is not until somebody changes something.
    ActionNeeded,
}

/// What there is to know of a reason, whatever the facts of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// A code that does not change between versions.
    pub code: &'static str,
    /// What it means for the interface.
    pub level: Level,
    /// The sentence, with the names of the facts in braces.
    pub sentence: &'static str,
}

macro_rules! reasons {
    ($(
        $(#[$doc:meta])*
        $name:ident $({ $($(#[$fact_doc:meta])* $fact:ident: $type:ty,)+ })?
            => $code:literal, $level:ident, $sentence:literal $(, $shown:ident = $as:expr)*;
    )+) => {
        /// Why a step is what it is.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Reason {$(
            $(#[$doc])*
            $name $({ $($(#[$fact_doc])* $fact: $type,)+ })?,
        )+}

        /// Every reason.
        pub const REASONS: &[Entry] = &[
            $(Entry { code: $code, level: Level::$level, sentence: $sentence },)+
        ];

        impl Reason {
            /// A code that does not change between versions.
            #[must_use]
            pub const fn code(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $code,)+
                }
            }

            /// What it means for the interface.
            #[must_use]
            pub const fn level(&self) -> Level {
                match self {
                    $(Self::$name { .. } => Level::$level,)+
                }
            }
        }

        impl std::fmt::Display for Reason {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$name $({ $($fact,)+ })? => write!(f, $sentence $(, $shown = $as)*),)+
                }
            }
        }
    };
}

pub(super) use reasons;
