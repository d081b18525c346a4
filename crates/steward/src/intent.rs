//! Who wants to change the pond, and with which command: what the history
//! will say of a transaction.

/// What is asked of a pond, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The command line, without secrets: see [`redact`].
    pub command: String,
    /// The user's name.
    pub user: String,
    /// The host's name.
    pub host: String,
}

impl Intent {
    /// A command of a user on a host.
    #[must_use]
    pub fn new(
        command: impl Into<String>,
        user: impl Into<String>,
        host: impl Into<String>,
    ) -> Self {
        Self { command: command.into(), user: user.into(), host: host.into() }
    }
}

/// What stands in place of a secret.
const REMOVED: &str = "***";
/// The most of a command line that is kept, in characters.
const COMMAND_MAX_CHARS: usize = 4_000;
/// Words that make the value after them a secret.
const SECRET_WORDS: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "api-key",
    "apikey",
    "access-key",
    "private-key",
    "credential",
];

/// A command line as a shell would take it, without what looks like a secret:
/// values of options, of `key=value` and of query parameters whose name says
/// so, and the user part of URLs.
#[must_use]
pub fn redact<A: AsRef<str>>(arguments: &[A]) -> String {
    let mut words = Vec::with_capacity(arguments.len());
    let mut next_is_secret = false;
    for argument in arguments {
        let argument = argument.as_ref();
        let is_option = argument.starts_with('-');
        if next_is_secret && !is_option {
            words.push(REMOVED.to_owned());
            next_is_secret = false;
            continue;
        }
        next_is_secret = is_option && !argument.contains('=') && is_secret_name(argument);
        words.push(quote(&without_secrets(argument)));
    }
    let command = words.join(" ");
    match command.char_indices().nth(COMMAND_MAX_CHARS) {
        None => command,
        Some((end, _)) => format!("{}...", &command[..end]),
    }
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase().replace('_', "-");
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// One argument without the secrets inside it.
fn without_secrets(argument: &str) -> String {
    let (head, query) = match argument.split_once('?') {
        Some((head, query)) if head.contains("://") => (head, Some(query)),
        _ => (argument, None),
    };
    let mut text = without_user(head);
    if query.is_none()
        && let Some((name, _)) = text.split_once('=')
        && is_secret_name(name)
    {
        text = format!("{name}={REMOVED}");
    }
    if let Some(query) = query {
        let parameters: Vec<_> = query
            .split('&')
            .map(|parameter| match parameter.split_once('=') {
                // A signed URL's parts are as good as a password.
                Some((name, _)) if is_secret_name(name) || is_signature(name) => {
                    format!("{name}={REMOVED}")
                }
                _ => parameter.to_owned(),
            })
            .collect();
        text = format!("{text}?{}", parameters.join("&"));
    }
    text
}

fn is_signature(name: &str) -> bool {
    let name = name.to_lowercase();
    name == "sig" || name == "key" || name.contains("signature")
}

/// `scheme://user:password@host` without what is before the `@`.
fn without_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        None => text.to_owned(),
        Some(at) => format!("{scheme}://{REMOVED}@{}", &rest[at + 1..]),
    }
}

/// A word as a POSIX shell would need it.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=+,@%*?&".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.contains(['*', '?', '&']) {
        return word.to_owned();
    }
    if word == REMOVED {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_removed_wherever_they_stand() {
        let cases: [(&[&str], &str); 6] = [
            (&["pond", "x", "--password", "hunter2", "/a"], "pond x --password *** /a"),
            (&["pond", "x", "--api_key=abc"], "pond x '--api_key=***'"),
            (&["pond", "SECRET_TOKEN=abc"], "pond 'SECRET_TOKEN=***'"),
            (&["pond", "s3://me:pw@host/b"], "pond 's3://***@host/b'"),
            (
                &["pond", "https://h/f?a=1&X-Amz-Signature=99"],
                "pond 'https://h/f?a=1&X-Amz-Signature=***'",
            ),
            (&["pond", "rm", "it's"], r"pond rm 'it'\''s'"),
        ];
        for (arguments, expected) in cases {
            assert_eq!(redact(arguments), expected);
        }
    }

    #[test]
    fn a_command_line_without_secrets_is_kept() {
        let line = ["pond", "copy", "host+series:///a b.parquet", "/sensors/a.series"];
        assert_eq!(redact(&line), "pond copy 'host+series:///a b.parquet' /sensors/a.series");
    }
}
