//! Which state it is, and which ones it came from: what tells a gateway that is
//! behind from one that has gone another way.

/// How many commits a state knows that it came from. Two that have parted earlier than
/// that count as strangers.
const KEPT: usize = 1024;

/// Which state it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The id of the data: that of another cluster is another.
    pub epoch: String,
    /// How many changes there were.
    pub version: u64,
    /// The id of the last of them, which no other change has.
    pub commit: String,
    /// The gateway that made it.
    pub author: String,
}

/// A revision with those that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which one.
    pub revision: Revision,
    /// Its changes.
    pub lineage: Lineage,
}

impl Head {
    /// The first of a new cluster, made by a gateway of this name.
    pub fn first(by: &str) -> Self {
        Self::of(Revision {
            epoch: random(),
            version: 1,
            commit: random(),
            author: by.to_owned(),
        })
    }

    /// A revision that nothing else is known of.
    pub fn of(revision: Revision) -> Self {
        Self {
            lineage: Lineage(revision.commit.clone()),
            revision,
        }
    }

    /// The one after this, made by a gateway of this name.
    #[must_use]
    pub fn next(&self, by: &str) -> Self {
        let commit = random();
        Self {
            lineage: self.lineage.next(&commit),
            revision: Revision {
                epoch: self.revision.epoch.clone(),
                version: self.revision.version + 1,
                commit,
                author: by.to_owned(),
            },
        }
    }

    /// Whether another came from this one, or is the same.
    pub fn leads_to(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.revision, &other.revision);
        ours.epoch == theirs.epoch && other.lineage.has(&ours.commit)
    }
}

/// The last commits of a state, the oldest first and its own last. Each has a version
/// that is one more than that of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage(String);

impl Lineage {
    /// What [`Self::as_str`] was.
    pub fn parse(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// As a text: the ids with a space between each.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn has(&self, commit: &str) -> bool {
        self.0.split(' ').any(|one| one == commit)
    }

    fn next(&self, commit: &str) -> Self {
        let (mut kept, count) = (&*self.0, self.0.split(' ').count());
        for _ in KEPT..=count {
            kept = kept.split_once(' ').map_or("", |(_, rest)| rest);
        }
        Self(format!("{kept} {commit}"))
    }
}

fn random() -> String {
    format!("{:016x}", fastrand::u64(..))
}

#[cfg(test)]
mod tests {
    use super::{Head, KEPT};

    #[test]
    fn a_state_knows_what_it_came_from_for_so_many_changes() {
        let first = Head::first("a");
        let mut last = first.clone();
        for _ in 1..KEPT {
            last = last.next("b");
        }
        assert!(first.leads_to(&last) && last.leads_to(&last) && !last.leads_to(&first));
        assert_eq!(last.revision.version, KEPT as u64);
        let later = last.next("a");
        assert!(!first.leads_to(&later) && last.leads_to(&later));
        assert_eq!(later.lineage.as_str().split(' ').count(), KEPT);
    }

    #[test]
    fn those_who_have_parted_do_not_lead_to_each_other() {
        let first = Head::first("a");
        let (one, other) = (first.next("a"), first.next("b").next("b"));
        assert!(first.leads_to(&one) && first.leads_to(&other));
        assert!(!one.leads_to(&other) && !other.leads_to(&one));
        let mut elsewhere = other.clone();
        elsewhere.revision.epoch = "another".to_owned();
        assert!(!first.leads_to(&elsewhere));
    }
}
