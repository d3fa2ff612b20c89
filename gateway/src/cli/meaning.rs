//! What a configuration means, in words: what `gatewright check` shows.

use std::fmt;
use std::time::Duration;

use gatewright_host::Plan;
use gatewright_model::config::{
    AccessLog, Binding, Breaker, CacheRules, Certificates, Coding, Compression, Config, Layout,
    Listener, LogTarget, PoolConfig, Retries, Size,
};
use gatewright_model::id::{PolicyName, PoolName};

/// A configuration with the plugins that were loaded for it.
pub(super) struct Meaning<'a> {
    pub(super) config: &'a Config,
    pub(super) plan: &'a Plan,
}

impl fmt::Display for Meaning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.config;
        for listener in &config.listeners {
            let Listener { name, listen, .. } = listener;
            write!(f, "listener {name}: {listen}, {}", protocol(listener))?;
            match &listener.http3 {
                Some(_) => writeln!(f, ", and HTTP/3")?,
                None => writeln!(f)?,
            }
        }
        writeln!(
            f,
            "admin: http://{}, data in {}",
            config.admin.listen,
            config.admin.data.display()
        )?;
        if let Some(cluster) = &config.cluster {
            let (address, prefix) = (cluster.address(), &cluster.prefix);
            writeln!(
                f,
                "cluster: by {address}, in keys that begin with {prefix:?}"
            )?;
        }
        if let Some(log) = &config.access_log {
            writeln!(f, "access log: {}", logged(log))?;
        }
        if let Some(tracing) = &config.tracing {
            let (to, share) = (&tracing.otlp, percent(tracing.sample));
            writeln!(f, "traces: {share} % of the requests, to {to}")?;
        }
        writeln!(f, "plugins: {}", signed(config))?;
        writeln!(f, "workers: {}", config.workers)?;
        for policy in &config.policies {
            let role = policy.binding.role;
            let (name, binding) = (&policy.name, &policy.binding);
            let plugin = self.plugin(binding, (None, Some(name)));
            writeln!(f, "{role} {name}: {plugin}")?;
        }
        writeln!(f, "router: {}", self.plugin(&config.router, (None, None)))?;
        if let Some(pool) = config
            .default_pool
            .and_then(|index| config.pools.get(index.index()))
        {
            writeln!(f, "default pool: {}", pool.name)?;
        }
        config.pools.iter().try_for_each(|pool| self.pool(f, pool))
    }
}

impl Meaning<'_> {
    fn pool(&self, f: &mut fmt::Formatter<'_>, pool: &PoolConfig) -> fmt::Result {
        writeln!(f, "pool {}:", pool.name)?;
        writeln!(
            f,
            "  balancer: {}",
            self.plugin(&pool.balancer, (Some(&pool.name), None))
        )?;
        if let Some(affinity) = &pool.affinity {
            let plugin = self.plugin(affinity, (Some(&pool.name), None));
            writeln!(f, "  affinity: {plugin}")?;
        }
        match &pool.health {
            Some(check) => writeln!(f, "  health: {check}")?,
            None => writeln!(f, "  health: not checked")?,
        }
        writeln!(f, "  breaker: {}", breaking(pool.breaker.as_ref()))?;
        writeln!(f, "  retries: {}", retrying(&pool.retries))?;
        writeln!(f, "  limits: {}", limits(pool))?;
        if let Some(after) = pool.overload.hedge_after {
            writeln!(f, "  hedge: a second server after {}", time(after))?;
        }
        if let Some(rules) = &pool.cache {
            writeln!(f, "  cache: {}", cached(rules))?;
        }
        if let Some(rules) = &pool.compression {
            writeln!(f, "  compression: {}", compressed(rules))?;
        }
        for server in &pool.servers {
            write!(f, "  server {}: weight {}", server.id, server.weight)?;
            let of_each = pool.overload.max_active_per_server;
            if let Some(most) = server.max_active.filter(|_| server.max_active != of_each) {
                write!(f, ", {most} in flight")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    /// A plugin, the version that is in its seat, which is a pool's or a policy's,
    /// and how long it may take.
    fn plugin(
        &self,
        binding: &Binding,
        (pool, policy): (Option<&PoolName>, Option<&PolicyName>),
    ) -> String {
        let seated = self.plan.bindings().iter().find(|seated| {
            seated.role() == binding.role
                && seated.pool() == pool
                && seated.place().policy.as_ref() == policy
                && *seated.plugin() == binding.plugin
        });
        let version = seated.map(|seated| format!(" {}", seated.version().short()));
        format!(
            "{}{}, within {}",
            binding.plugin,
            version.unwrap_or_default(),
            time(binding.deadline)
        )
    }
}

fn time(time: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(time)
}

/// When a server gets no more requests for a while.
fn breaking(breaker: Option<&Breaker>) -> String {
    let Some(breaker) = breaker else {
        return "off".to_owned();
    };
    format!(
        "after {} failures or {} errors in a row, for {} to {}, {} % of the servers at most",
        breaker.fail_threshold,
        breaker.error_threshold,
        time(breaker.open_time),
        time(breaker.max_open_time),
        breaker.max_ejected
    )
}

/// How often a request is tried, and for how long each time.
fn retrying(retries: &Retries) -> String {
    let each = time(retries.per_try_timeout);
    if retries.attempts == 1 {
        return format!("none, {each} for the one attempt");
    }
    let statuses = retries.statuses.iter().map(u16::to_string);
    let statuses = match statuses.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        statuses => format!(", also after {statuses}"),
    };
    let budget = percent(retries.budget);
    let attempts = retries.attempts;
    format!("{attempts} attempts of {each}, for {budget} % of the requests{statuses}")
}

/// A share as people write it: 0.5 %, and not 0.5000000001 %.
fn percent(share: f64) -> f64 {
    (share * 10_000.0).round() / 100.0
}

/// Where lines go, what they look like, and who gets one.
fn logged(log: &AccessLog) -> String {
    let target = match &log.target {
        LogTarget::Stdout => "stdout".to_owned(),
        LogTarget::Stderr => "stderr".to_owned(),
        LogTarget::File(file) => file.display().to_string(),
    };
    let layout = match log.layout {
        Layout::Json(_) => "JSON",
        Layout::Text(_) => "text",
    };
    let errors = match log.always_errors && log.sample < 1.0 {
        true => " and all errors",
        false => "",
    };
    let share = percent(log.sample);
    format!("{layout} to {target}, for {share} % of the requests{errors}")
}

/// Which answers are kept.
fn cached(rules: &CacheRules) -> String {
    let fresh = match rules.default_ttl {
        Some(period) => format!(", for {} where they do not say", time(period)),
        None => String::new(),
    };
    format!("answers of up to {}{fresh}", Size(rules.max_object))
}

/// How answers are compressed, the preferred way first.
fn compressed(rules: &Compression) -> String {
    let names = rules.algorithms.iter().map(|coding| match coding {
        Coding::Zstd => "zstd",
        Coding::Br => "br",
        Coding::Gzip => "gzip",
    });
    let names = names.collect::<Vec<_>>().join(", ");
    format!("{names}, from {} on", Size(rules.min_size))
}

/// How many requests may be in flight, and who waits beyond that.
fn limits(pool: &PoolConfig) -> String {
    let overload = &pool.overload;
    let of_all = overload.max_active.map(|most| format!("{most} in flight"));
    let of_each = overload.max_active_per_server;
    let of_each = of_each.map(|most| format!("{most} on each server"));
    let both: Vec<_> = of_all.into_iter().chain(of_each).collect();
    let have_own = pool
        .servers
        .iter()
        .any(|server| server.max_active.is_some());
    let most = match both.is_empty() {
        true if !have_own => return "none".to_owned(),
        true => "those of servers".to_owned(),
        false => both.join(", "),
    };
    match &overload.queue {
        Some(queue) => format!("{most}; {} wait for {}", queue.size, time(queue.timeout)),
        None => format!("{most}; nobody waits"),
    }
}

/// Which plugins are let in.
fn signed(config: &Config) -> String {
    let keys = config.admin.plugin_keys.iter();
    let keys: Vec<_> = keys.map(|key| key.id().to_string()).collect();
    match keys.is_empty() {
        true => "signed by anybody or nobody".to_owned(),
        false => format!("signed by {}", keys.join(" or ")),
    }
}

fn protocol(listener: &Listener) -> String {
    if !listener.passthrough.is_empty() {
        return "TLS, passed on as it comes".to_owned();
    }
    match (&listener.tls, listener.redirect) {
        (None, None) => "http".to_owned(),
        (None, Some(port)) => format!("http, redirected to https on port {port}"),
        (Some(tls), _) => match &tls.certificates {
            Certificates::SelfSigned => "https with a self-signed certificate".to_owned(),
            Certificates::Files(files) => {
                let files = files.iter().map(|files| &files.certificate.path);
                let files = files.map(|path| path.display().to_string());
                let ordered = tls.ordered.iter().map(|one| {
                    format!("a certificate that is ordered for {}", one.names.join(", "))
                });
                let all: Vec<_> = files.chain(ordered).collect();
                format!("https with {}", all.join(", "))
            }
        },
    }
}
