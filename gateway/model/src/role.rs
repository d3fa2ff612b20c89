//! What a plugin may be bound as, and what a grant allows it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The seat in the chain that a binding fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// May answer a request before it is routed.
    RequestPolicy,
    /// Chooses the pool.
    Router,
    /// Knows which endpoint has a session.
    Affinity,
    /// Chooses the endpoint; served by the worlds `balancer` and
    /// `scanning-balancer`, whichever the component exports.
    Balancer,
    /// Edits response heads.
    ResponsePolicy,
}

impl Role {
    /// Every role, in the order of a request's way.
    pub const ALL: [Self; 5] = [
        Self::RequestPolicy,
        Self::Router,
        Self::Affinity,
        Self::Balancer,
        Self::ResponsePolicy,
    ];

    /// The role as a sentence has it: `a balancer`.
    #[must_use]
    pub fn with_article(self) -> String {
        match self {
            Self::Affinity => format!("an {self}"),
            _ => format!("a {self}"),
        }
    }

    /// Whether each pool has a seat of its own for it.
    pub fn is_of_a_pool(self) -> bool {
        matches!(self, Self::Affinity | Self::Balancer)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestPolicy => "request-policy",
            Self::Router => "router",
            Self::Affinity => "affinity",
            Self::Balancer => "balancer",
            Self::ResponsePolicy => "response-policy",
        })
    }
}

/// A capability that an operator gives to a plugin: an import of the same name.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// Change what the server will see.
    Rewrite,
    /// Read and edit the response's head, and give answers a body.
    Response,
    /// Values shared by all workers.
    Store,
    /// The pool's session table.
    Sessions,
    /// Time.
    Clock,
    /// Randomness.
    Random,
    /// Figures of the plugin's own.
    Metrics,
}

impl Grant {
    /// All there are; what the default plugin set is given.
    pub const ALL: [Self; 7] = [
        Self::Rewrite,
        Self::Response,
        Self::Store,
        Self::Sessions,
        Self::Clock,
        Self::Random,
        Self::Metrics,
    ];

    /// The name of the import and of the grant in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rewrite => "rewrite",
            Self::Response => "response",
            Self::Store => "store",
            Self::Sessions => "sessions",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Metrics => "metrics",
        }
    }
}
