//! What becomes of a request that a route matches.

use gatewright_matching::Shares;
use gatewright_plugin_sdk::{
    ConfigError, Decision, PoolIndex, hash, mix, pools, refuse, request, response, rewrite,
};

use crate::config;
use crate::host::without_port;
use crate::pattern::Pattern;
use crate::template::Template;

/// The outcome of a route, with its pools found and its texts understood.
#[derive(Debug)]
pub(crate) enum Action {
    /// Forward, with another path if there is a rewrite.
    Forward(Target, Option<Rewrite>),
    /// Send the client elsewhere.
    Redirect(Location, u16),
    /// Answer with a body, if there is one, and its media type.
    Answer(u16, Option<(String, String)>),
}

/// Where to forward.
#[derive(Debug)]
pub(crate) enum Target {
    /// To one pool.
    Pool(PoolIndex),
    /// To one of several, by the client's address: a client stays with its pool.
    Split(Split),
}

/// Pools with their shares.
#[derive(Debug)]
pub(crate) struct Split {
    shares: Shares<PoolIndex>,
    /// What makes clients fall differently in different splits.
    salt: u64,
}

/// What to do to the path.
#[derive(Debug)]
pub(crate) enum Rewrite {
    /// Replace it.
    To(Template),
    /// Take this from its front.
    Strip(String),
}

/// Where to send a client.
#[derive(Debug)]
pub(crate) enum Location {
    /// To a place of the operator's choice.
    To(Template),
    /// To the same place by HTTPS, on a port if it is not the usual one.
    Https(Option<u16>),
}

impl Action {
    /// The action of the route at `key`.
    ///
    /// # Errors
    ///
    /// The key of what is missing, too much or wrong.
    pub(crate) fn parse(
        route: &config::Route,
        pattern: &Pattern,
        key: &str,
    ) -> Result<Self, ConfigError> {
        let rewrite = parse_rewrite(route, pattern, key)?;
        let forward = |target| Ok(Self::Forward(target, rewrite));
        match (&route.pool, &route.split, &route.redirect, &route.answer) {
            (Some(pool), None, None, None) => {
                forward(Target::Pool(pool_index(pool, &format!("{key}.pool"))?))
            }
            (None, Some(shares), None, None) => forward(Target::Split(Split::parse(
                shares,
                &format!("{key}.split"),
            )?)),
            (None, None, Some(redirect), None) => {
                parse_redirect(redirect, pattern, &format!("{key}.redirect"))
            }
            (None, None, None, Some(answer)) => parse_answer(answer, &format!("{key}.answer")),
            _ => Err(refuse(
                key,
                "a route has exactly one of `pool`, `split`, `redirect` and `answer`",
            )),
        }
    }

    /// Do it, for a request that the route matches.
    pub(crate) fn perform(&self, pattern: &Pattern, authority: &str, path: &str) -> Decision {
        match self {
            Self::Forward(Target::Pool(pool), None) => Decision::Forward(*pool),
            _ => self.perform_more(pattern, authority, path),
        }
    }

    /// All that is more than to name a pool. Apart, so that this is quick.
    #[inline(never)]
    fn perform_more(&self, pattern: &Pattern, authority: &str, path: &str) -> Decision {
        match self {
            Self::Forward(target, change) => {
                if let Some(change) = change {
                    change.perform(pattern, path);
                }
                Decision::Forward(target.pool())
            }
            Self::Redirect(location, status) => {
                response::set_header("location", &location.fill(pattern, authority, path));
                Decision::Answer(*status)
            }
            Self::Answer(status, body) => {
                if let Some((content_type, body)) = body {
                    response::body(content_type, body.as_bytes());
                }
                Decision::Answer(*status)
            }
        }
    }
}

impl Target {
    fn pool(&self) -> PoolIndex {
        match self {
            Self::Pool(pool) => *pool,
            Self::Split(split) => split.pool_of(&request::client_address()),
        }
    }
}

impl Split {
    fn parse(written: &[config::Share], key: &str) -> Result<Self, ConfigError> {
        let mut pools = Vec::with_capacity(written.len());
        let mut salt = 0_u64;
        for (number, share) in written.iter().enumerate() {
            let pool = pool_index(&share.pool, &format!("{key}[{number}].pool"))?;
            salt = mix(salt ^ hash(share.pool.as_bytes()));
            pools.push((share.weight, pool));
        }
        let shares = Shares::of(pools.into_iter(), key)?;
        Ok(Self { shares, salt })
    }

    /// The same address gives the same pool on every worker and after a restart.
    pub(crate) fn pool_of(&self, address: &str) -> PoolIndex {
        let draw = mix(hash(address.as_bytes()) ^ self.salt);
        self.shares.winner(draw)
    }
}

impl Rewrite {
    fn perform(&self, pattern: &Pattern, path: &str) {
        match self {
            Self::To(template) => rewrite::path(&template.fill(pattern, path)),
            Self::Strip(prefix) => match path.strip_prefix(prefix.as_str()) {
                Some("") => rewrite::path("/"),
                Some(rest) if rest.starts_with('/') => rewrite::path(rest),
                _ => {}
            },
        }
    }
}

impl Location {
    fn fill(&self, pattern: &Pattern, authority: &str, path: &str) -> String {
        let mut place = match self {
            Self::To(template) => template.fill(pattern, path),
            Self::Https(None) => format!("https://{}{path}", without_port(authority)),
            Self::Https(Some(port)) => format!("https://{}:{port}{path}", without_port(authority)),
        };
        if let Some(query) = request::query()
            && !place.contains('?')
        {
            place.push('?');
            place.push_str(&query);
        }
        place
    }
}

/// The index of the pool that is named at `key`.
///
/// # Errors
///
/// When there is no such pool.
pub(crate) fn pool_index(name: &str, key: &str) -> Result<PoolIndex, ConfigError> {
    pools::index(name).ok_or_else(|| refuse(key, format!("there is no pool `{name}`")))
}

fn parse_rewrite(
    route: &config::Route,
    pattern: &Pattern,
    key: &str,
) -> Result<Option<Rewrite>, ConfigError> {
    let (change, name) = match (&route.rewrite, &route.strip_prefix) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            let reason = "take either `rewrite` or `strip_prefix`";
            return Err(refuse(format!("{key}.strip_prefix"), reason));
        }
        (Some(text), None) => (to_path(text, pattern).map(Rewrite::To), "rewrite"),
        (None, Some(prefix)) => (stripped(prefix), "strip_prefix"),
    };
    let key = format!("{key}.{name}");
    if route.pool.is_none() && route.split.is_none() {
        return Err(refuse(
            key,
            "only what is forwarded to a pool can be rewritten",
        ));
    }
    change.map(Some).map_err(|reason| refuse(key, reason))
}

fn to_path(text: &str, pattern: &Pattern) -> Result<Template, String> {
    // A regular expression's template may begin with a group that has the slash.
    if !text.starts_with('/') && !text.starts_with('$') {
        return Err("a path begins with /".into());
    }
    Template::parse(text, pattern)
}

fn stripped(prefix: &str) -> Result<Rewrite, String> {
    let trimmed = prefix.trim_end_matches('/');
    if !trimmed.starts_with('/') {
        return Err("a prefix begins with / and has at least one segment, such as /api".into());
    }
    Ok(Rewrite::Strip(trimmed.into()))
}

fn parse_redirect(
    redirect: &config::Redirect,
    pattern: &Pattern,
    key: &str,
) -> Result<Action, ConfigError> {
    let (location, usual) = match (&redirect.to, &redirect.https) {
        (Some(to), None) => {
            let to = Template::parse(to, pattern);
            let to = to.map_err(|reason| refuse(format!("{key}.to"), reason))?;
            (Location::To(to), 307)
        }
        (None, Some(config::Https::Enabled(true))) => (Location::Https(None), 308),
        (None, Some(config::Https::Port(port))) => (Location::Https(Some(*port)), 308),
        _ => return Err(refuse(key, "a redirect has either `to` or `https = true`")),
    };
    let status = redirect.status.unwrap_or(usual);
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        let reason = "a redirect's status is 301, 302, 303, 307 or 308";
        return Err(refuse(format!("{key}.status"), reason));
    }
    Ok(Action::Redirect(location, status))
}

fn parse_answer(answer: &config::Answer, key: &str) -> Result<Action, ConfigError> {
    if !(200..=599).contains(&answer.status) {
        return Err(refuse(
            format!("{key}.status"),
            "an answer's status is 200 to 599",
        ));
    }
    let content_type = answer
        .content_type
        .as_deref()
        .unwrap_or("text/plain; charset=utf-8");
    let body = answer
        .body
        .as_ref()
        .map(|body| (content_type.into(), body.clone()));
    Ok(Action::Answer(answer.status, body))
}
