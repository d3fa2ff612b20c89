//! `gatewright token`: who may operate a gateway.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use gatewright_control::{
    KeepError, NewToken, Removal, Role, Spare, Store, TokenError, TokenRecord, create_token,
    keep_token, revoke_token,
};
use http::Method;
use serde_json::{Value, json};

use super::api::{ApiOptions, Call, escaped};
use super::table::{Column, Table};
use crate::ending::usage;

/// Who it is that changes tokens without a gateway.
const WHO: &str = "command line";

const COLUMNS: [Column; 5] = [
    ("ID", "id"),
    ("NAME", "name"),
    ("ROLE", "role"),
    ("CREATED", "created"),
    ("EXPIRES", "expires"),
];

/// What `gatewright token` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A token is shown once, when it is made; the gateway keeps its hash. From the
first one on, everybody needs one: in the environment variable GATEWRIGHT_TOKEN
for these commands, as `Authorization: Bearer TOKEN` for everything else.

The first one has the role deploy, and the last one of that role cannot be
revoked but with --data. Where no token is left, nobody needs one again on a
loopback address.

With --data, the data folder of a gateway that does not run is changed: this is
how a gateway gets its first token before it listens on an address that other
machines reach. Without, the running gateway is asked, which takes a token of
the role deploy once there is any.

With --data and --from, a token that was made elsewhere counts from then on, such
as one that a secret of Kubernetes gives to all gateways. Its id is printed, and
nothing is done when it counts already. A token is gw_ and 64 random hexadecimal
digits: echo gw_$(openssl rand -hex 32) > token

Roles:
  read      look at everything but tokens
  operate   change servers, pools and algorithms
  deploy    bring in plugins; make and revoke tokens

Examples:
  gatewright token create --role deploy --data data
  gatewright token create --role read --name prometheus --expires 90d
  gatewright token create --role deploy --data data --from token
  gatewright token list
  gatewright token revoke 1f0c22ab")]
pub(super) struct TokenOptions {
    #[command(flatten)]
    api: ApiOptions,
    /// The data folder of a gateway that does not run now.
    #[arg(long, value_name = "FOLDER", global = true)]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a token and print it.
    #[command(after_long_help = "\
Examples:
  gatewright token create --role deploy --data data
  gatewright token create --role operate --name ci --expires 90d
  export GATEWRIGHT_TOKEN=$(gatewright token create --role read)")]
    Create {
        /// What it may do.
        #[arg(long, value_parser = roles())]
        role: Role,
        /// What it is for.
        #[arg(long, default_value = "unnamed")]
        name: String,
        /// For how long it counts, such as 90d; until it is revoked if not given.
        #[arg(long, value_parser = humantime::parse_duration, value_name = "DURATION")]
        expires: Option<Duration>,
        /// With --data, let the token count that this file holds, and make none.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Show which tokens there are.
    List,
    /// Make a token count no more.
    Revoke {
        /// Its id, as the list has it.
        id: String,
    },
}

/// The roles by name, so that help and completions list them.
fn roles() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::name)).try_map(|name| name.parse::<Role>())
}

pub(super) fn run(options: TokenOptions) -> anyhow::Result<()> {
    let TokenOptions { api, data, command } = options;
    let store = match &data {
        Some(folder) => Some(Store::open(folder).map_err(usage)?),
        None => None,
    };
    match command {
        Command::Create {
            role,
            name,
            expires,
            from,
        } => {
            let wanted = NewToken {
                name,
                role,
                expires_in: expires,
            };
            let made = match from {
                Some(file) => keep(store.as_ref(), wanted, &file)?,
                None => create(&api, store.as_ref(), wanted)?,
            };
            // The token alone, so that a script can take it; of one that
            // somebody has already, what it is called by.
            api.print(&made, |made| {
                let shown = made["token"].as_str().or_else(|| made["id"].as_str());
                format!("{}\n", shown.unwrap_or_default())
            })
        }
        Command::List => {
            let tokens = match &store {
                Some(store) => store.tokens()?.iter().map(shown).collect(),
                None => api.ask(Call::new(Method::GET, "/api/tokens"))?,
            };
            api.print(&tokens, |tokens| Table::of(tokens, &COLUMNS).to_string())
        }
        Command::Revoke { id } => {
            let revoked = revoke(&api, store.as_ref(), &id)?;
            api.print(&revoked, |_| format!("revoked {id}\n"))
        }
    }
}

fn create(api: &ApiOptions, store: Option<&Store>, wanted: NewToken) -> anyhow::Result<Value> {
    let Some(store) = store else {
        let mut body = json!({ "name": wanted.name, "role": wanted.role });
        if let Some(period) = wanted.expires_in {
            body["expiresIn"] = json!(period.as_secs());
        }
        return api.ask(Call::new(Method::POST, "/api/tokens").with(body));
    };
    let made = create_token(store, wanted, WHO, None);
    let (record, token) = made.map_err(refused)?;
    let mut made = shown(&record);
    made["token"] = json!(token);
    Ok(made)
}

/// Let a token count that a file holds.
fn keep(store: Option<&Store>, wanted: NewToken, file: &Path) -> anyhow::Result<Value> {
    let Some(store) = store else {
        return Err(usage(anyhow!(
            "--from takes --data as well: a gateway that runs makes its tokens itself"
        )));
    };
    let path = file.display();
    let text = fs::read_to_string(file);
    let text = text.map_err(|error| usage(anyhow!("cannot read {path}: {error}")))?;
    let kept = keep_token(store, wanted, text.trim(), WHO, None);
    // What the file holds may be a secret for something else: it is never shown.
    let record = kept.map_err(|error| match error {
        KeepError::Token(error) => refused(error),
        error => usage(error),
    });
    let record = record.with_context(|| path.to_string())?;
    Ok(shown(&record))
}

/// What is asked for wrongly is the user's to mend.
fn refused(error: TokenError) -> anyhow::Error {
    match error {
        TokenError::Store(error) => error.into(),
        error => usage(error),
    }
}

fn revoke(api: &ApiOptions, store: Option<&Store>, id: &str) -> anyhow::Result<Value> {
    let Some(store) = store else {
        let path = format!("/api/tokens/{}", escaped(id));
        return api.ask(Call::new(Method::DELETE, path));
    };
    // Whoever has the folder may do what nobody may through the API.
    let removal = revoke_token(store, id, Spare::None, WHO, None).context("cannot revoke it")?;
    match removal {
        Removal::Done => Ok(json!({ "id": id, "revoked": true })),
        Removal::NotThere | Removal::Spared => Err(anyhow!("there is no token {id}")),
    }
}

/// A token as the API shows it.
fn shown(record: &TokenRecord) -> Value {
    json!({
        "id": record.id,
        "name": record.name,
        "role": record.role,
        "created": record.created,
        "expires": record.expires,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Args as _;

    #[test]
    fn the_help_lists_the_roles() {
        let mut command = TokenOptions::augment_args(clap::Command::new("token"));
        command.build();
        let create = command.find_subcommand_mut("create").unwrap();
        let help = create.render_long_help().to_string();
        assert!(
            help.contains("[possible values: read, operate, deploy]"),
            "{help}"
        );
        assert!(help.contains("Examples:"), "{help}");
    }
}
